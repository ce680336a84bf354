/*
 * Copyright 2026 The Stowage Authors
 *
 * Licensed under the Apache License, Version 2.0 (the "License");
 * you may not use this file except in compliance with the License.
 * You may obtain a copy of the License at
 *
 *     http://www.apache.org/licenses/LICENSE-2.0
 *
 * Unless required by applicable law or agreed to in writing, software
 * distributed under the License is distributed on an "AS IS" BASIS,
 * WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
 * See the License for the specific language governing permissions and
 * limitations under the License.
 */
package io.stowage.dev.fsck;

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.ContainerState;
import io.stowage.common.proto.ListContainersReply;
import io.stowage.common.proto.ListContainersRequest;
import io.stowage.common.scm.ContainerManager;
import java.util.ArrayDeque;
import java.util.Deque;

/** All containers of a state in order of their ids, a page at a time. Confined to one thread. */
final class ContainerPages {
  private static final int PAGE = 1_000;

  private final ContainerManager scm;
  private final ContainerState state;
  private final Deque<ContainerInfo> page = new ArrayDeque<>();
  private long after;
  private boolean ended;

  /** CONTAINER_UNKNOWN: all that are not deleted. */
  ContainerPages(ContainerManager scm, ContainerState state) {
    this.scm = scm;
    this.state = state;
  }

  /** The next, or null behind the last. */
  ContainerInfo next() throws StoreException {
    if (page.isEmpty() && !ended) {
      ListContainersReply reply =
          scm.listContainers(
              ListContainersRequest.newBuilder()
                  .setAfter(after)
                  .setLimit(PAGE)
                  .setState(state)
                  .build());
      page.addAll(reply.getContainersList());
      ended = !reply.getMore() || page.isEmpty();
      if (!page.isEmpty()) {
        after = page.peekLast().getId();
      }
    }
    return page.poll();
  }
}
