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

import java.io.ByteArrayInputStream;
import java.io.DataInputStream;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.Arrays;
import java.util.Collection;
import java.util.Collections;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.net.NetUtils;
import org.apache.hadoop.security.SecurityUtil;
import org.apache.hadoop.security.UserGroupInformation;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenIdentifier;
import org.apache.hadoop.security.token.TokenSelector;

/**
 * Which token is shown to which object manager. All object managers of a cluster take the same
 * token. Its service is the list of all their addresses when it was issued: a configuration has
 * nothing else that says which cluster it is of. It is shown to each that is on the list, and by
 * {@link #showTo} to those that a configuration names beside one that is. Of several tokens the one
 * that was issued last is shown, since whoever renews a job's tokens adds new ones beside the old.
 * Compiled for Java 8. Stateless.
 *
 * <p>A server of another cluster that was shown a token by mistake learns who owns it and no more:
 * the password is proved, never sent.
 */
public class DelegationTokenSelector implements TokenSelector<DelegationTokenIdentifier> {
  private static final String BETWEEN = ",";

  /**
   * The service of a cluster's tokens.
   *
   * @param addresses host:port of each object manager, in any order; hosts that nobody knows are
   *     left out
   */
  public static Text service(List<String> addresses) {
    return new Text(String.join(BETWEEN, services(addresses)));
  }

  private static Set<String> services(List<String> addresses) {
    TreeSet<String> services = new TreeSet<>();
    for (String address : addresses) {
      InetSocketAddress socketAddress = NetUtils.createSocketAddr(address);
      if (!socketAddress.isUnresolved()) {
        services.add(SecurityUtil.buildTokenService(socketAddress).toString());
      }
    }
    return services;
  }

  private static Set<String> named(Token<?> token) {
    return new TreeSet<>(Arrays.asList(token.getService().toString().split(BETWEEN, -1)));
  }

  /**
   * Whether a token is of a cluster.
   *
   * @param addresses host:port of each object manager of the cluster
   */
  public static boolean isOf(Token<?> token, List<String> addresses) {
    return !Collections.disjoint(named(token), services(addresses));
  }

  /**
   * Where a token may be shown by whoever knows of a cluster's object managers: all that it names,
   * and all of the cluster if it names one of them.
   *
   * @param addresses host:port of each object manager of the cluster
   */
  public static List<String> addressesOf(Token<?> token, List<String> addresses) {
    Set<String> all = named(token);
    Set<String> clusters = services(addresses);
    if (!Collections.disjoint(all, clusters)) {
      all.addAll(clusters);
    }
    return Arrays.asList(all.toArray(new String[0]));
  }

  /**
   * Lets a user show the tokens that he has of a cluster to all of its object managers, also those
   * that were added since the tokens were issued: beside each token he gets a private copy that
   * names them, which no job inherits and which is replaced when the token is.
   *
   * @param addresses host:port of each object manager of the cluster
   */
  public static void showTo(UserGroupInformation user, List<String> addresses) {
    for (Token<?> token : user.getTokens()) {
      if (!DelegationTokenIdentifier.KIND.equals(token.getKind()) || token.isPrivate()) {
        continue;
      }
      List<String> all = addressesOf(token, addresses);
      if (all.size() > named(token).size()) {
        Text service = new Text(String.join(BETWEEN, all));
        Text alias = new Text(service + " by " + token.getService()); // not a token's own
        user.addToken(alias, token.privateClone(service));
      }
    }
  }

  /** What a user has to show, as bytes of identifiers; of all clusters. */
  public static Set<Text> identifiersOf(UserGroupInformation user) {
    Set<Text> identifiers = new HashSet<>();
    for (Token<?> token : user.getTokens()) {
      if (DelegationTokenIdentifier.KIND.equals(token.getKind())) {
        identifiers.add(new Text(token.getIdentifier()));
      }
    }
    return identifiers;
  }

  @Override
  @SuppressWarnings("unchecked") // by its kind
  public Token<DelegationTokenIdentifier> selectToken(
      Text server, Collection<Token<? extends TokenIdentifier>> tokens) {
    if (server == null) {
      return null;
    }
    Token<? extends TokenIdentifier> selected = null;
    for (Token<? extends TokenIdentifier> token : tokens) {
      if (DelegationTokenIdentifier.KIND.equals(token.getKind())
          && named(token).contains(server.toString())
          && (selected == null || issuedMillis(token) > issuedMillis(selected))) {
        selected = token;
      }
    }
    return (Token<DelegationTokenIdentifier>) selected;
  }

  private static long issuedMillis(Token<?> token) {
    DelegationTokenIdentifier identifier = new DelegationTokenIdentifier();
    try {
      identifier.readFields(new DataInputStream(new ByteArrayInputStream(token.getIdentifier())));
      return identifier.getIssueDate();
    } catch (IOException e) {
      return Long.MIN_VALUE; // the server will say what is wrong with it
    }
  }
}
