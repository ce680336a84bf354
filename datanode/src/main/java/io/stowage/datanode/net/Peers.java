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

import io.netty.channel.Channel;
import io.stowage.common.data.DataFrameDecoder;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A server's connections: no more than a bound, none that begins a frame and does not end it.
 * Thread-safe.
 *
 * <p>When there is one too many, the one goes that has made no call for longest: its client, if it
 * is one, connects again with its next call. So whoever opens connections and leaves them keeps
 * nobody out.
 */
final class Peers {
  private static final Logger LOG = LoggerFactory.getLogger(Peers.class);

  /** A look at each connection in a third of what it is given. */
  private static final int LOOKS = 3;

  private static final long LOG_EVERY_NANOS = TimeUnit.SECONDS.toNanos(10);

  /**
   * Bounds of connections.
   *
   * @param most at the same time
   * @param patience for the first frame and for each that is begun, while the server reads
   */
  record Limits(int most, Duration patience) {
    /** As many as HDFS has transfer threads, and again. */
    static final Limits DEFAULT = new Limits(8_192, Duration.ofSeconds(30));
  }

  private final Limits limits;
  private final Set<Peer> peers = ConcurrentHashMap.newKeySet(); // at most limits.most and a few
  private final AtomicLong nextLog = new AtomicLong(System.nanoTime());

  Peers(Limits limits) {
    this.limits = limits;
  }

  /** A connection that has begun; on its event loop. */
  Peer add(Channel channel) {
    Peer peer = new Peer(channel);
    peers.add(peer);
    if (peers.size() > limits.most()) {
      closeSilent(peer);
    }
    long millis = Math.max(1, limits.patience().toMillis() / LOOKS);
    Future<?> looking =
        channel.eventLoop().scheduleAtFixedRate(peer::look, millis, millis, TimeUnit.MILLISECONDS);
    var unused =
        channel
            .closeFuture()
            .addListener(
                closed -> {
                  looking.cancel(false);
                  peers.remove(peer);
                });
    return peer;
  }

  private void closeSilent(Peer added) {
    Peer silent = null;
    for (Peer peer : peers) {
      if (peer != added && (silent == null || peer.heard - silent.heard < 0)) {
        silent = peer;
      }
    }
    if (silent == null || !peers.remove(silent)) {
      return;
    }
    long now = System.nanoTime();
    long next = nextLog.get();
    if (now - next >= 0 && nextLog.compareAndSet(next, now + LOG_EVERY_NANOS)) {
      LOG.warn(
          "Closing the connection from {}, which has made no call for {} s, and others like it:"
              + " there are more than {}",
          silent.channel.remoteAddress(),
          TimeUnit.NANOSECONDS.toSeconds(now - silent.heard),
          limits.most());
    }
    var unused = silent.channel.close();
  }

  /** One of them. Confined to its event loop, but for {@code heard}. */
  final class Peer {
    private final Channel channel;
    private volatile long heard = System.nanoTime();
    private DataFrameDecoder<?> decoder; // null: it has not said what it speaks
    private long frames;
    private long framesSeen;
    private int late;

    Peer(Channel channel) {
      this.channel = channel;
    }

    /** It speaks by frames from now on. */
    void speaks(DataFrameDecoder<?> frameDecoder) {
      decoder = frameDecoder;
    }

    /** A frame of it was whole. */
    void heard() {
      frames++;
      heard = System.nanoTime();
    }

    private void look() {
      if (!channel.config().isAutoRead()) {
        return; // it is this server that lets it wait
      }
      boolean owes = frames == 0 || decoder.isWithinFrame();
      if (!owes || frames != framesSeen) {
        framesSeen = frames;
        late = 0;
        return;
      }
      late++;
      if (late == LOOKS) {
        LOG.warn(
            "Closing the connection from {}: it has {} for {} s",
            channel.remoteAddress(),
            frames == 0 ? "made no call" : "not ended the frame that it began",
            limits.patience().toSeconds());
        var unused = channel.close();
      }
    }
  }
}
