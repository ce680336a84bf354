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
package io.stowage.common.delegation;

import java.net.InetSocketAddress;
import java.util.Collection;
import java.util.List;
import java.util.TreeSet;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.net.NetUtils;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.security.token.TokenSelector;

/**
 * Which token is shown to which object manager. All object managers of a cluster take the same
 * token, so its service is the list of all their addresses, and it is shown to each that is on it.
 * Compiled for Java 8. Stateless.
 */
public class DelegationTokenSelector implements TokenSelector<DelegationTokenIdentifier> {
  private static final String BETWEEN = ",";

  /**
   * The service of a cluster's tokens.
   *
   * @param addresses host:port of each object manager, in any order
   */
  public static Text service(List<String> addresses) {
    TreeSet<String> services = new TreeSet<>();
    for (String address : addresses) {
      InetSocketAddress socketAddress = NetUtils.createSocketAddr(address);
      services.add(SecurityUtil.buildTokenService(socketAddress).toString());
    }
    return new Text(String.join(BETWEEN, services));
  }

  @Override
  @SuppressWarnings("unchecked") // by its kind
  public Token<DelegationTokenIdentifier> selectToken(
      Text server, Collection<Token<? extends TokenIdentifier>> tokens) {
    if (server == null) {
      return null;
    }
    String wanted = BETWEEN + server + BETWEEN;
    for (Token<? extends TokenIdentifier> token : tokens) {
      if (DelegationTokenIdentifier.KIND.equals(token.getKind())
          && (BETWEEN + token.getService() + BETWEEN).contains(wanted)) {
        return (Token<DelegationTokenIdentifier>) token;
      }
    }
    return null;
  }
}
