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
package io.stowage.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.DataPath.WriteSpec;
import io.stowage.client.repack.Repacker;
import io.stowage.client.twin.InMemoryObjectManager;
import io.stowage.common.conf.StowageConfig;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.ClaimContainerReply;
import io.stowage.common.proto.ContainerInfo;
import io.stowage.common.proto.FinishRepackReply;
import io.stowage.common.proto.FinishRepackRequest;
import io.stowage.common.proto.LocateContainersRequest;
import io.stowage.common.proto.RepackOutcome;
import io.stowage.common.proto.RepackWork;
import io.stowage.common.scm.ContainerManager;
import io.stowage.common.time.StoreClock;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What whoever asks for one container is told; it has a needle that nothing names. */
@Timeout(60)
class RepackerTest {
  private final TwinCluster cluster = TwinCluster.inMemory(5, StoreClock.system());
  private final StowageDataPath path =
      StowageDataPath.create(
          new ClientConfig(8 << 10, 32 << 10, 16 << 20), cluster, cluster, StoreClock.system());
  private final List<FinishRepackRequest> finished = new ArrayList<>();
  private Repacker repacker;
  private ContainerInfo container;

  @BeforeEach
  void write() throws Exception {
    WriteSpec spec =
        new WriteSpec(
            7, ByteString.copyFromUtf8("k"), WriteId.random(), "rs-3-2", -1, ByteString.EMPTY);
    try (ObjectWriter writer = path.write(spec)) {
      writer.write(DataPathContractTest.buffer(new byte[5_000], 0, 5_000));
      writer.finish();
    }
    container = cluster.containers().get(0);
    repacker =
        Repacker.start(
            StowageConfig.of(
                Map.of("stowage.om.mutation-deadline", "100ms", "stowage.clock-bound", "1ms")),
            "test",
            proxy(ContainerManager.class, null, this::scm),
            proxy(
                ObjectManager.class,
                new InMemoryObjectManager(StoreClock.system(), "rs-3-2"),
                request ->
                    request instanceof LocateContainersRequest locate
                        ? cluster.locateContainers(locate)
                        : null),
            path,
            0);
  }

  @AfterEach
  void close() {
    repacker.close();
    path.close();
    cluster.close();
  }

  private Object scm(Object request) {
    if (request instanceof FinishRepackRequest finish) {
      finished.add(finish);
      return FinishRepackReply.getDefaultInstance();
    }
    return ClaimContainerReply.newBuilder()
        .setWork(RepackWork.REPACK_EMPTY)
        .setContainer(container)
        .build();
  }

  private interface Answers {
    /** Null: the twin's. */
    Object to(Object request);
  }

  private static <T> T proxy(Class<T> type, T twin, Answers answers) {
    return type.cast(
        Proxy.newProxyInstance(
            type.getClassLoader(),
            new Class<?>[] {type},
            (proxy, method, arguments) -> {
              Object answer = answers.to(arguments[0]);
              try {
                return answer == null ? method.invoke(twin, arguments) : answer;
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            }));
  }

  @Test
  void returnsWhenTheContainerIsEmpty() throws Exception {
    repacker.repack(container.getId());
    assertEquals(RepackOutcome.REPACK_EMPTIED, finished.get(0).getOutcome());
  }

  @Test
  void aContainerThatIsGivenBackIsAFailureThatSaysWhy() {
    for (int node = 0; node < 3; node++) {
      cluster.node(node).setAway(true);
    }
    StoreException e = assertThrows(StoreException.class, () -> repacker.repack(container.getId()));
    assertEquals(RepackOutcome.REPACK_UNREADABLE, finished.get(0).getOutcome());
    assertEquals(1, finished.size());
    assertEquals(ErrorCode.UNAVAILABLE, e.code());
    assertTrue(e.getMessage().endsWith(finished.get(0).getWhy()), e.getMessage());
  }
}
