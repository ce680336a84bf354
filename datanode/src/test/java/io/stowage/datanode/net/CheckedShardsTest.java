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
package io.stowage.datanode.net;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ShardGrant;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.Operation;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenChecks;
import io.stowage.common.token.TokenKeyRing;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.Message;
import org.junit.jupiter.api.Test;

/** That tokens are asked for by every method there is; what they allow TokenChecksTest says. */
class CheckedShardsTest {
  private final TokenKeyRing keys = new TokenKeyRing();
  private final ShardTokens tokens = new ShardTokens(keys, StoreClock.system());
  private final List<String> reached = new ArrayList<>();
  private final ShardService checked =
      new CheckedShards(
          (ShardService)
              Proxy.newProxyInstance(
                  ShardService.class.getClassLoader(),
                  new Class<?>[] {ShardService.class},
                  this::behind),
          new TokenChecks(tokens));

  CheckedShardsTest() {
    keys.take(
        TokenKeys.newBuilder()
            .setVersion(1)
            .addKeys(
                TokenKey.newBuilder()
                    .setSecret(ByteString.copyFrom(new byte[32]))
                    .setUntilMicros(Long.MAX_VALUE))
            .build());
  }

  private Object behind(Object proxy, Method method, Object[] arguments) {
    reached.add(method.getName());
    for (Object argument : arguments) {
      if (argument instanceof ByteBuf payload) {
        payload.release();
      }
    }
    return method.getReturnType() == void.class ? null : CompletableFuture.completedFuture(null);
  }

  /** Calls a method with an empty request, but for the token. */
  private void call(Method method, ByteString token) throws Throwable {
    ByteBuf payload = Unpooled.buffer(8);
    List<Object> arguments = new ArrayList<>();
    for (Class<?> type : method.getParameterTypes()) {
      if (type == ByteBuf.class) {
        arguments.add(payload.retain());
        continue;
      }
      Message.Builder request =
          ((Message) type.getMethod("getDefaultInstance").invoke(null)).toBuilder();
      request.setField(request.getDescriptorForType().findFieldByName("token"), token);
      arguments.add(request.build());
    }
    try {
      if (method.invoke(checked, arguments.toArray()) instanceof CompletableFuture<?> answer) {
        var unused = answer.get();
      }
    } catch (InvocationTargetException | ExecutionException e) {
      throw e.getCause();
    } finally {
      assertEquals(1, payload.refCnt(), method + " keeps its payload");
      payload.release();
    }
  }

  @Test
  void noMethodServesWithoutAToken() throws Throwable {
    ByteString all =
        tokens.sign(
            ShardGrant.newBuilder()
                .setService(true)
                .setOperations(Operation.all(Operation.values()))
                .setExpiryMicros(Long.MAX_VALUE)
                .build());
    List<String> every = new ArrayList<>();
    for (Method method : ShardService.class.getMethods()) {
      for (ByteString token : List.of(ByteString.EMPTY, all.substring(0, all.size() - 1))) {
        StoreException e = assertThrows(StoreException.class, () -> call(method, token));
        assertEquals(ErrorCode.ACCESS_DENIED, e.code(), method.toString());
      }
      assertEquals(every, reached);
      every.add(method.getName());
      call(method, all);
      assertEquals(every, reached);
    }
  }
}
