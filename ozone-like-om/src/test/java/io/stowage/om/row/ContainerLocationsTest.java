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
package io.stowage.om.row;

import static org.junit.jupiter.api.Assertions.assertEquals;

import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.GetContainersReply;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.scm.ContainerManager;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.LongStream;
import org.junit.jupiter.api.Test;

class ContainerLocationsTest {
  private final List<Integer> asked = new ArrayList<>();

  /** Knows every container. */
  private final ContainerManager containers =
      (ContainerManager)
          Proxy.newProxyInstance(
              ContainerManager.class.getClassLoader(),
              new Class<?>[] {ContainerManager.class},
              (proxy, method, arguments) -> answer((GetContainersRequest) arguments[0]));

  private GetContainersReply answer(GetContainersRequest request) {
    asked.add(request.getIdsCount());
    GetContainersReply.Builder reply = GetContainersReply.newBuilder();
    request.getIdsList().forEach(id -> reply.addContainers(ContainerInfo.newBuilder().setId(id)));
    return reply.build();
  }

  @Test
  void moreThanOneCallMayTellAreAskedForInPages() throws Exception {
    int most = ContainerManager.MOST_ASKED;
    List<Long> ids = LongStream.rangeClosed(1, 2L * most + 5).boxed().toList();
    ContainerLocations locations = new ContainerLocations(containers);
    List<ContainerInfo> found = locations.locate(ids, false);
    assertEquals(ids, found.stream().map(ContainerInfo::getId).toList());
    assertEquals(List.of(most, most, 5), asked);
    locations.locate(ids, false);
    assertEquals(3, asked.size(), "they are known now");
  }
}
