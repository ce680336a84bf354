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
package io.stowage.common.rpc;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.HashMap;
import java.util.Map;
import org.apache.hadoop.thirdparty.protobuf.RpcController;
import org.apache.hadoop.thirdparty.protobuf.ServiceException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes one of our interfaces ({@code Reply call(Request) throws StoreException}) look like its
 * generated protobuf twin ({@code Reply call(RpcController, Request) throws ServiceException}).
 * Stateless.
 *
 * <p>An error crosses the wire as a {@link WireException}: the code's number and the message.
 * Anything that is not a StoreException is a bug of the server: it is logged there and told as
 * INTERNAL.
 */
final class RpcBridge {
  private static final Logger LOG = LoggerFactory.getLogger(RpcBridge.class);

  private RpcBridge() {}

  static <T, P> P pbFor(Class<P> pb, Class<T> api, T implementation) {
    Map<String, Method> methods = methodsByName(api);
    InvocationHandler handler =
        (proxy, method, args) -> {
          if (method.getDeclaringClass() == Object.class) {
            return method.invoke(implementation, args);
          }
          try {
            return methods.get(method.getName()).invoke(implementation, args[1]);
          } catch (InvocationTargetException e) {
            throw new ServiceException(wireForm(method, e.getCause()));
          }
        };
    return pb.cast(Proxy.newProxyInstance(pb.getClassLoader(), new Class<?>[] {pb}, handler));
  }

  private static WireException wireForm(Method method, Throwable failure) {
    if (failure instanceof StoreException known) {
      return new WireException(known.code(), known.getMessage());
    }
    LOG.error("{} failed", method.getName(), failure);
    return new WireException(ErrorCode.INTERNAL, "Cannot " + method.getName() + ": " + failure);
  }

  /** Methods of one of our interfaces, whose names are unique, since each is an RPC. */
  static Map<String, Method> methodsByName(Class<?> api) {
    Map<String, Method> methods = new HashMap<>();
    for (Method method : api.getMethods()) {
      methods.put(method.getName(), method);
    }
    return methods;
  }

  /** Methods of the generated interface that take (RpcController, message). */
  static Map<String, Method> pbMethodsByName(Class<?> pb) {
    Map<String, Method> methods = new HashMap<>();
    for (Method method : pb.getMethods()) {
      Class<?>[] parameters = method.getParameterTypes();
      if (parameters.length == 2 && parameters[0] == RpcController.class) {
        methods.put(method.getName(), method);
      }
    }
    return methods;
  }

  /** A StoreException on its way; without a stack trace, which Hadoop would send along. */
  static final class WireException extends IOException {
    private static final long serialVersionUID = 1L;

    WireException(ErrorCode code, String message) {
      super(code.number() + " " + message);
    }

    @Override
    public synchronized Throwable fillInStackTrace() {
      return this;
    }

    /** Reads what the constructor wrote. */
    static StoreException parse(String text) {
      int space = text.indexOf(' ');
      try {
        return StoreException.of(
            ErrorCode.ofNumber(Integer.parseInt(text.substring(0, Math.max(space, 0)))),
            text.substring(space + 1).stripTrailing());
      } catch (NumberFormatException e) {
        return new StoreException(ErrorCode.INTERNAL, text, e);
      }
    }
  }
}
