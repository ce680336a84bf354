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
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.channel.embedded.EmbeddedChannel;
import io.stowage.common.data.DataFrameDecoder;
import io.stowage.common.data.ShardService;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.proto.DataReply;
import io.stowage.common.proto.DataRequest;
import io.stowage.common.proto.ListShardsRequest;
import io.stowage.common.proto.TokenKey;
import io.stowage.common.proto.TokenKeys;
import io.stowage.common.proto.WriteShardRequest;
import io.stowage.common.time.StoreClock;
import io.stowage.common.token.ShardTokens;
import io.stowage.common.token.TokenChecks;
import io.stowage.common.token.TokenKeyRing;
import io.stowage.datanode.fault.SimulatedDisks;
import io.stowage.datanode.store.ShardStore;
import io.stowage.datanode.store.StoreSettings;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What a connection keeps of requests of which not all has come. */
class UnfinishedFramesTest {
  private static final int PAYLOAD = 16 << 20;

  private final ServerMemory memory = new ServerMemory(32 << 20);
  private ShardStore store;

  @BeforeEach
  void open() throws Exception {
    store =
        ShardStore.open(
            List.of(Path.of("/sim/d1")),
            new SimulatedDisks(),
            new StoreSettings(0, true, 64 << 20),
            StoreClock.system());
  }

  @AfterEach
  void close() {
    store.close();
  }

  private EmbeddedChannel channel(boolean secure) {
    EmbeddedChannel channel = new EmbeddedChannel();
    attach(
        channel,
        secure
            ? new CheckedShards(
                store, new TokenChecks(new ShardTokens(keys(), StoreClock.system())))
            : store);
    return channel;
  }

  private void attach(EmbeddedChannel channel, ShardService service) {
    Peers.Peer peer = new Peers(Peers.Limits.DEFAULT).add(channel);
    DataServerConnection connection = new DataServerConnection(channel, service, memory, peer);
    DataFrameDecoder<DataRequest> decoder =
        new DataFrameDecoder<>(DataRequest.parser(), connection);
    peer.speaks(decoder);
    channel.pipeline().addLast(decoder, connection);
  }

  private static TokenKeyRing keys() {
    TokenKeyRing keys = new TokenKeyRing();
    keys.take(
        TokenKeys.newBuilder()
            .setVersion(1)
            .addKeys(
                TokenKey.newBuilder()
                    .setId(7)
                    .setSecret(ByteString.copyFrom(new byte[32]))
                    .setUntilMicros(Long.MAX_VALUE))
            .build());
    return keys;
  }

  private static ByteBuf begin(DataRequest request, int payload) {
    return Unpooled.directBuffer()
        .writeInt(request.getSerializedSize())
        .writeInt(payload)
        .writeBytes(request.toByteArray());
  }

  private static final DataRequest WRITE =
      DataRequest.newBuilder()
          .setCallId(5)
          .setWrite(WriteShardRequest.newBuilder().setToken(ByteString.copyFromUtf8("of nobody's")))
          .build();

  private static DataReply answer(EmbeddedChannel channel) throws Exception {
    channel.runPendingTasks();
    ByteBuf out = channel.readOutbound();
    assertTrue(out != null, "no answer");
    int length = out.readInt();
    assertEquals(0, out.readInt());
    byte[] header = new byte[length];
    out.readBytes(header);
    out.release();
    return DataReply.parseFrom(header);
  }

  /** Whoever reaches the port could else fill the memory with what nobody will ever write. */
  @Test
  void thePayloadOfAWriteThatMayNotBeMadeIsNotTakenIn() throws Exception {
    EmbeddedChannel channel = channel(true);
    channel.writeInbound(begin(WRITE, PAYLOAD));
    for (int sent = 0; sent < PAYLOAD; sent += 1 << 20) {
      ByteBuf piece = Unpooled.directBuffer(1 << 20).writeZero(1 << 20);
      channel.writeInbound(piece);
      assertEquals(0, piece.refCnt());
      assertEquals(0, memory.unfinished());
    }
    DataReply refusal = answer(channel);
    assertEquals(5, refusal.getCallId());
    assertEquals(ErrorCode.ACCESS_DENIED.number(), refusal.getErrorCode());
    // The connection is of use as before.
    DataRequest list =
        DataRequest.newBuilder()
            .setCallId(6)
            .setList(ListShardsRequest.getDefaultInstance())
            .build();
    channel.writeInbound(begin(list, 0));
    assertEquals(6, answer(channel).getCallId());
    assertTrue(channel.isOpen());
    assertEquals(0, memory.calls().used());
    channel.finishAndReleaseAll();
  }

  @Test
  void whatHasComeOfAPayloadCountsUntilItsConnectionEnds() {
    EmbeddedChannel channel = channel(false);
    channel.writeInbound(begin(WRITE, PAYLOAD));
    channel.writeInbound(Unpooled.directBuffer(1 << 20).writeZero(1 << 20));
    assertEquals(1 << 20, memory.unfinished());
    assertEquals(1 << 20, memory.calls().used(), "others are held back by it");
    channel.finishAndReleaseAll();
    assertEquals(0, memory.unfinished());
    assertEquals(0, memory.calls().used());
  }

  @Test
  void beyondWhatAllMayKeepTheConnectionThatSendsMoreEnds() {
    List<EmbeddedChannel> channels = new ArrayList<>();
    ByteBuf piece = Unpooled.directBuffer(15 << 20).writeZero(15 << 20);
    for (int i = 0; i < 5; i++) {
      EmbeddedChannel channel = channel(false);
      channels.add(channel);
      channel.writeInbound(begin(WRITE, PAYLOAD));
      channel.writeInbound(piece.retainedDuplicate());
      assertEquals(i < 4, channel.isOpen(), "connection " + i);
    }
    assertTrue(memory.unfinished() <= 64 << 20);
    channels.forEach(EmbeddedChannel::finishAndReleaseAll);
    assertEquals(0, memory.unfinished());
    assertTrue(piece.release(), "the last reference");
  }

  @Test
  void onlyWhoOwesAFrameIsClosedAndNotWhileTheServerDoesNotRead() {
    EmbeddedChannel channel = new EmbeddedChannel();
    channel.freezeTime();
    attach(channel, store);
    DataRequest list =
        DataRequest.newBuilder().setList(ListShardsRequest.getDefaultInstance()).build();
    channel.writeInbound(begin(list, 0));
    pass(channel, 3_600);
    assertTrue(channel.isOpen(), "it may be silent between calls");
    channel.writeInbound(Unpooled.directBuffer().writeZero(3));
    channel.config().setAutoRead(false);
    pass(channel, 3_600);
    assertTrue(channel.isOpen(), "it may wait to be read from");
    channel.config().setAutoRead(true);
    pass(channel, 25);
    assertTrue(channel.isOpen());
    pass(channel, 25);
    assertFalse(channel.isOpen(), "it began a frame");
    channel.finishAndReleaseAll();
    EmbeddedChannel mute = new EmbeddedChannel();
    mute.freezeTime();
    attach(mute, store);
    pass(mute, 50);
    assertFalse(mute.isOpen(), "it never said anything");
  }

  private static void pass(EmbeddedChannel channel, int seconds) {
    for (int i = 0; i < seconds; i++) {
      channel.advanceTimeBy(1, TimeUnit.SECONDS);
      channel.runScheduledPendingTasks();
      channel.runPendingTasks();
    }
  }
}
