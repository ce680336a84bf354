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

import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.GetContainersRequest;
import io.stowage.common.scm.ContainerManager;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

/**
 * Where containers are, as the container manager said when it was last asked. A reader that finds a
 * place stale asks for a refresh, so an entry needs no age. Guarded by its own lock, which is not
 * held during a call.
 */
public final class ContainerLocations {
  /** About 100 MB at 500 bytes an entry; an object manager of 100 PB sees the hot part. */
  private static final int MOST_ENTRIES = 200_000;

  private final ContainerManager containers;
  private final Map<Long, ContainerInfo> cache =
      new LinkedHashMap<>(1_024, 0.75f, true) {
        @Override
        protected boolean removeEldestEntry(Map.Entry<Long, ContainerInfo> eldest) {
          return size() > MOST_ENTRIES;
        }
      };

  public ContainerLocations(ContainerManager containers) {
    this.containers = containers;
  }

  /**
   * Looks containers up, in order and each once; unknown ones are left out.
   *
   * @param refresh the caller found what we said stale
   */
  public List<ContainerInfo> locate(Collection<Long> ids, boolean refresh) throws StoreException {
    Set<Long> distinct = new LinkedHashSet<>(ids);
    Map<Long, ContainerInfo> found = new HashMap<>();
    List<Long> missing = new ArrayList<>();
    synchronized (cache) {
      for (Long id : distinct) {
        ContainerInfo known = refresh ? null : cache.get(id);
        if (known == null) {
          missing.add(id);
        } else {
          found.put(id, known);
        }
      }
    }
    if (!missing.isEmpty()) {
      List<ContainerInfo> answered = ask(missing);
      synchronized (cache) {
        missing.forEach(cache::remove);
        for (ContainerInfo container : answered) {
          found.put(container.getId(), container);
          cache.merge(
              container.getId(),
              container,
              (old, fresh) -> old.getRowVersion() > fresh.getRowVersion() ? old : fresh);
        }
      }
    }
    List<ContainerInfo> result = new ArrayList<>(distinct.size());
    for (Long id : distinct) {
      ContainerInfo container = found.get(id);
      if (container != null) {
        result.add(container);
      }
    }
    return result;
  }

  private List<ContainerInfo> ask(List<Long> ids) throws StoreException {
    List<ContainerInfo> answered = new ArrayList<>(ids.size());
    for (int from = 0; from < ids.size(); from += ContainerManager.MOST_ASKED) {
      int to = Math.min(ids.size(), from + ContainerManager.MOST_ASKED);
      answered.addAll(
          containers
              .getContainers(
                  GetContainersRequest.newBuilder().addAllIds(ids.subList(from, to)).build())
              .getContainersList());
    }
    return answered;
  }

  /** Takes in what a lease told, so that the first read of a new container needs no call. */
  public void learn(ContainerInfo container) {
    synchronized (cache) {
      cache.merge(
          container.getId(),
          container,
          (old, fresh) -> old.getRowVersion() > fresh.getRowVersion() ? old : fresh);
    }
  }
}
