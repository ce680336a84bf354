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
package io.stowage.scm;

import io.stowage.common.access.AuditLog;
import io.stowage.common.access.Origin;
import io.stowage.common.error.NotLeaderException;
import io.stowage.common.error.StoreException;
import io.stowage.common.policy.Question;
import io.stowage.common.scm.ContainerManager;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Proxy;
import java.util.Set;
import org.apache.hadoop.ipc.Server;

/**
 * Writes down in the audit log what operators have an SCM do over RPC: each call that is theirs,
 * whoever makes it and whatever comes of it, and that somebody who is no service took the keys of
 * tokens. Immutable.
 *
 * <p>Leases, claims and reports are services' daily work, and what only tells changes nothing:
 * neither has a line.
 */
final class OperatorCalls {
  private static final Set<String> OPERATORS =
      Set.of(
          "setDatanodeMode",
          "moveDatanode",
          "setBalance",
          "acceptUnknownShards",
          "restoreContainer",
          "resurveyContainers");

  private final ContainerManager manager;
  private final AuditLog audit;
  private final Set<String> services;

  private OperatorCalls(ContainerManager manager, AuditLog audit, Set<String> services) {
    this.manager = manager;
    this.audit = audit;
    this.services = services;
  }

  /**
   * @param services short names of those who ask for the keys of tokens every few seconds
   */
  static ContainerManager noted(ContainerManager manager, AuditLog audit, Set<String> services) {
    OperatorCalls calls = new OperatorCalls(manager, audit, services);
    return (ContainerManager)
        Proxy.newProxyInstance(
            ContainerManager.class.getClassLoader(),
            new Class<?>[] {ContainerManager.class},
            (proxy, method, arguments) -> calls.make(method, arguments));
  }

  private Object make(Method method, Object[] arguments) throws Throwable {
    if (!isNoted(method.getName())) {
      return invoke(method, arguments);
    }
    try {
      Object reply = invoke(method, arguments);
      note(method, arguments, "done");
      return reply;
    } catch (NotLeaderException e) {
      throw e; // who leads is asked next, and writes it down
    } catch (StoreException | RuntimeException e) {
      note(method, arguments, "failed: " + e.getMessage());
      throw e;
    }
  }

  private boolean isNoted(String call) {
    return OPERATORS.contains(call)
        || (call.equals("getTokenKeys")
            && !services.contains(Server.getRemoteUser().getShortUserName()));
  }

  private Object invoke(Method method, Object[] arguments) throws Throwable {
    try {
      return method.invoke(manager, arguments);
    } catch (InvocationTargetException e) {
      throw e.getCause();
    }
  }

  /** It was allowed by the protocol's ACL, which Hadoop has asked before. */
  private void note(Method method, Object[] arguments, String outcome) {
    String user = Server.getRemoteUser().getUserName();
    String request = arguments[0].toString().replace('\n', ' ').strip();
    audit.add(
        Origin.ofCaller(),
        new Question.Principal(user, user, false),
        "stowage:" + method.getName(),
        null,
        null,
        null,
        true,
        request.isEmpty() ? outcome : outcome + " (" + request + ")");
  }
}
