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
package io.stowage.scm.container;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.scm.cluster.ClusterMap;
import java.net.UnknownHostException;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which host each datanode is of, as Kerberos names hosts: with security on nobody speaks for
 * another host's node. The table keeps it, for all SCMs; this knows, too, who has registered here.
 * Thread-safe.
 *
 * <p>A node is of the host that registers it first, which nobody can do before it: its id is random
 * and told with that registration. Disks that were put into another machine are that one's node by
 * an operator's word alone, {@link #move}. Several nodes may be of one host, and are then believed
 * about one another: they have one principal. Nobody can tell a node that there is from one that
 * somebody with that principal made up, so a host gets no more once it has {@link #MOST_OF_A_HOST}
 * that are not dead, or {@link #MOST_IDS_OF_A_HOST} with those that are.
 */
public final class NodeHosts {
  private static final Logger LOG = LoggerFactory.getLogger(NodeHosts.class);

  /** Far more than anybody starts on a machine, of which each is watched. */
  public static final int MOST_OF_A_HOST = 64;

  /**
   * Ids since this SCM started. A datanode whose disks were emptied has a new one; each is a row of
   * the table for ever, and may come to life again.
   */
  static final int MOST_IDS_OF_A_HOST = 1_024;

  /**
   * Hosts whose nodes' registrations wait for DNS, HBase or racks at a time: each waits on a
   * handler of those that are there for heartbeats. One of a host, so that none takes all the
   * places.
   */
  static final int MOST_WAITING = 8;

  /** Ids are UUIDs, hosts' names are no longer by the rules of DNS. */
  private static final int LONGEST_ID = 64;

  private static final int LONGEST_HOST = 255;

  /** Only another operator makes a compare-and-set fail. */
  private static final int MOST_ATTEMPTS = 8;

  /** Says by which name Kerberos knows a host, of which a name or an address is given. */
  public interface Names {
    String canonical(String host) throws UnknownHostException;
  }

  private final ContainerStore store;
  private final ClusterMap cluster;
  private final Names names;
  private final Map<String, String> registered = new ConcurrentHashMap<>(); // as the cluster map

  /** Nodes that have registered to the end, by the host that they said they are at. */
  private final Map<String, String> settled = new ConcurrentHashMap<>();

  private final Set<String> waiting = new HashSet<>(); // hosts; guarded by itself

  /**
   * @param cluster says who is dead
   */
  public NodeHosts(ContainerStore store, ClusterMap cluster, Names names) {
    this.store = store;
    this.cluster = cluster;
    this.names = names;
  }

  /** What there is to do for a registration that is believed. */
  public interface Rest<T> {
    T done() throws StoreException;
  }

  /**
   * A node registers. Waits for nobody if it has registered here before, by the host's name both
   * times; else the rest may wait, too, and counts as this does.
   *
   * @param said where it says that its data plane is
   * @param caller the host of who says so
   * @return the rest's answer
   * @throws StoreException ACCESS_DENIED if that is another, the node is another's, or the host has
   *     too many; UNAVAILABLE if too many wait: to be tried again
   */
  public <T> T register(String nodeId, String said, String caller, Rest<T> rest)
      throws StoreException {
    if (nodeId.isEmpty() || nodeId.length() > LONGEST_ID) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot register a datanode with an id of " + nodeId.length() + " characters");
    }
    boolean byName = said.equalsIgnoreCase(caller);
    if (byName && isOf(nodeId, caller) && said.equalsIgnoreCase(settled.get(nodeId))) {
      return rest.done();
    }
    beginWait(nodeId, caller);
    try {
      if (!byName) {
        requireAt(said, nodeId, caller);
      }
      if (!isOf(nodeId, caller)) {
        bind(nodeId, caller);
      }
      T done = rest.done();
      settled.put(nodeId, said);
      return done;
    } finally {
      endWait(caller);
    }
  }

  private void beginWait(String nodeId, String caller) throws StoreException {
    synchronized (waiting) {
      if (waiting.size() < MOST_WAITING && waiting.add(caller)) {
        return;
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot register datanode "
            + nodeId
            + " now: "
            + caller
            + "'s others, or those of "
            + MOST_WAITING
            + " hosts, are being registered");
  }

  private void endWait(String caller) {
    synchronized (waiting) {
      waiting.remove(caller);
    }
  }

  private void requireAt(String said, String nodeId, String caller) throws StoreException {
    String host = canonical(said);
    if (!host.equals(caller)) {
      throw denied(
          nodeId, caller, "its data plane is said to be at " + said + ", which is " + host);
    }
  }

  private void bind(String nodeId, String caller) throws StoreException {
    requireRoom(nodeId, caller);
    String owner = store.hostOf(nodeId);
    if (owner == null) {
      owner = store.writeHost(nodeId, null, caller) ? caller : store.hostOf(nodeId);
    }
    if (!caller.equals(owner)) {
      throw denied(
          nodeId,
          caller,
          "it is "
              + owner
              + "'s; if its disks are here now, say so: stowage datanode move "
              + nodeId
              + " "
              + caller);
    }
    registered.put(nodeId, caller);
  }

  private void requireRoom(String nodeId, String caller) throws StoreException {
    int ids = 0;
    int alive = 0;
    for (Map.Entry<String, String> other : registered.entrySet()) {
      if (other.getValue().equals(caller)) {
        ids++;
        alive += cluster.isDead(other.getKey()) ? 0 : 1;
      }
    }
    if (alive >= MOST_OF_A_HOST) {
      throw denied(nodeId, caller, alive + " others of that host are not dead");
    }
    if (ids >= MOST_IDS_OF_A_HOST) {
      throw denied(
          nodeId, caller, ids + " others of that host have registered since this SCM started");
    }
  }

  private static StoreException denied(String nodeId, String caller, String why) {
    return new StoreException(
        ErrorCode.ACCESS_DENIED,
        "Cannot take " + caller + "'s word for datanode " + nodeId + ": " + why);
  }

  /** Whether that host has registered that node here, and nobody else since. */
  public boolean isOf(String nodeId, String host) {
    return host.equals(registered.get(nodeId));
  }

  /** The host that has registered a node here; of one that nobody has, its id. */
  public String of(String nodeId) {
    return registered.getOrDefault(nodeId, nodeId);
  }

  /**
   * Gives a node to another host, by an operator's word. Who was believed about it is so at other
   * SCMs until the new one has registered there.
   */
  public void move(String nodeId, String to) throws StoreException {
    String host = canonical(to);
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      String before = store.hostOf(nodeId);
      if (before == null) {
        throw new StoreException(
            ErrorCode.INVALID_ARGUMENT,
            "Cannot move datanode " + nodeId + ": none of that id has ever registered");
      }
      if (before.equals(host) || store.writeHost(nodeId, before, host)) {
        registered.remove(nodeId, before);
        LOG.info("Datanode {} was {}'s and is {}'s: an operator said so", nodeId, before, host);
        return;
      }
    }
    throw new StoreException(
        ErrorCode.UNAVAILABLE,
        "Cannot move datanode " + nodeId + ": somebody else keeps moving it");
  }

  private String canonical(String host) throws StoreException {
    if (host.isEmpty() || host.length() > LONGEST_HOST) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot tell which host is meant by a name of " + host.length() + " characters");
    }
    try {
      return names.canonical(host);
    } catch (UnknownHostException e) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot tell which host " + host + " is: not known here", e);
    }
  }
}
