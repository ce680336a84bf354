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
package io.stowage.common.conf;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.net.InetAddress;
import java.net.UnknownHostException;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Keeps servers off the network while security is off: without it whoever reaches a port is
 * believed to be whom he says he is. Every server checks when it starts, before it binds, all keys
 * whose names end in ".bind": a key added later cannot be forgotten, and one site file is refused
 * by all roles alike. Stateless.
 */
public final class Exposure {
  private static final Logger LOG = LoggerFactory.getLogger(Exposure.class);
  private static final String BIND = ".bind";

  private Exposure() {}

  /** Keys that say which address a server binds. */
  static List<ConfigKey<?>> binds() {
    return Keys.all().stream().filter(key -> key.name().endsWith(BIND)).toList();
  }

  /**
   * What other machines could reach, as lines "key = host:port", which the log then warns of; empty
   * if nothing or if security is on.
   *
   * @throws StoreException BAD_CONFIGURATION if there is something and nobody has said {@code
   *     --insecure}
   */
  public static List<String> check(StowageConfig config) throws StoreException {
    if (config.get(Keys.SECURITY_ENABLED)) {
      return List.of();
    }
    List<String> exposed = new ArrayList<>();
    for (ConfigKey<?> key : binds()) {
      String bind = String.valueOf(config.get(key));
      if (!bind.isEmpty() && !isLoopback(bind)) {
        exposed.add(key.name() + " = " + bind);
      }
    }
    if (!exposed.isEmpty() && !config.get(Keys.INSECURE)) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot serve other machines while security is off ("
              + String.join(", ", exposed)
              + "): set "
              + Keys.SECURITY_ENABLED.name()
              + ", bind 127.0.0.1, or say --insecure ("
              + Keys.INSECURE.name()
              + " = true)");
    }
    if (!exposed.isEmpty()) {
      LOG.warn(warning(exposed));
    }
    return exposed;
  }

  /** What people are told at every start of exposed servers, of what {@link #check} gave. */
  public static String warning(List<String> exposed) {
    return "INSECURE: security is off, and other machines reach "
        + String.join(", ", exposed)
        + "; anybody there may read, change and delete everything";
  }

  /** A name that cannot be resolved is not known to be loopback; nor is a wildcard. */
  private static boolean isLoopback(String bind) {
    int colon = bind.lastIndexOf(':');
    String host = colon < 0 ? bind : bind.substring(0, colon);
    if (host.isEmpty()) {
      return false; // a wildcard, or refused by the server as no host:port
    }
    try {
      for (InetAddress address : InetAddress.getAllByName(host)) {
        if (!address.isLoopbackAddress()) {
          return false;
        }
      }
      return true;
    } catch (UnknownHostException e) {
      return false;
    }
  }
}
