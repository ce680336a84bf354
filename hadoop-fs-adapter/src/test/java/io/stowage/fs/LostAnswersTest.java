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
package io.stowage.fs;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertInstanceOf;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.om.ObjectManager;
import java.io.IOException;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayDeque;
import java.util.Deque;
import java.util.List;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.PathIOException;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;

/** What callers hear of changes whose first sending an object manager did not answer. */
@Timeout(60)
class LostAnswersTest {
  private static final Path SOURCE = new Path("/source");
  private static final Path TARGET = new Path("/target");

  /** Of calls of {@link #method}, the first of these first; nothing left: they are done. */
  private final Deque<StoreException> failures = new ArrayDeque<>();

  private String method = "";
  private TwinCluster twins;
  private FileSystem fs;

  @BeforeEach
  void start() throws IOException {
    twins = TwinCluster.start(by -> failing());
    twins.createBucket("b");
    fs = twins.open("b");
  }

  @AfterEach
  void stop() throws IOException {
    fs.close();
    twins.close();
  }

  private ObjectManager failing() {
    return (ObjectManager)
        Proxy.newProxyInstance(
            ObjectManager.class.getClassLoader(),
            new Class<?>[] {ObjectManager.class},
            (proxy, called, arguments) -> {
              if (called.getName().equals(method) && !failures.isEmpty()) {
                throw failures.removeFirst();
              }
              try {
                return called.invoke(twins.objectManager, arguments);
              } catch (InvocationTargetException e) {
                throw e.getCause();
              }
            });
  }

  private void fail(String name, StoreException... with) {
    method = name;
    failures.addAll(List.of(with));
  }

  private static StoreException refusedAtARepetition(ErrorCode code) {
    return new OutcomeUnknownException("Cannot tell", new StoreException(code, "Cannot"));
  }

  private static StoreException unanswered() {
    return new OutcomeUnknownException("Cannot tell", null);
  }

  /** As of tasks that all make their job's directory while an object manager dies. */
  @Test
  void aDirectoryThatSomebodyElseMadeMeanwhileIsThere() throws IOException {
    fail("putObject", refusedAtARepetition(ErrorCode.PRECONDITION_FAILED));
    assertTrue(fs.mkdirs(TARGET));
    assertTrue(failures.isEmpty());
    fail("putObject", refusedAtARepetition(ErrorCode.QUOTA_EXCEEDED));
    assertThrows(PathIOException.class, () -> fs.mkdirs(TARGET));
  }

  @Test
  void aRenameThatIsRefusedAfterOneWithoutAnswerIsNotSaidToHaveFailed() throws IOException {
    fs.mkdirs(SOURCE);
    fail("renamePrefix", unanswered(), new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot"));
    IOException told = assertThrows(IOException.class, () -> fs.rename(SOURCE, TARGET));
    StoreException unknown = assertInstanceOf(OutcomeUnknownException.class, told.getCause());
    assertEquals(ErrorCode.NO_SUCH_KEY, ((StoreException) unknown.getCause()).code());
    fail("renamePrefix", new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot"));
    assertFalse(fs.rename(SOURCE, TARGET), "refused at once");
    fail("renamePrefix", unanswered(), unanswered());
    assertTrue(fs.rename(SOURCE, TARGET));
  }
}
