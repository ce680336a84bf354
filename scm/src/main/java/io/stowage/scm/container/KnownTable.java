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
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.OperatorWord;
import io.stowage.common.proto.OtherTable;
import io.stowage.common.time.StoreClock;
import java.time.Instant;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The table {@code object} that the containers belong to: only what is judged by it may be emptied.
 * Thread-safe.
 *
 * <p>What no head names is dead. In a table that was dropped and made anew, or that belongs to
 * another HBase namespace, nothing is named, so all containers would be emptied for it, one by one,
 * with every lease, epoch and seal in order. Therefore a table has an identity, which an object
 * manager sends with each lease that it asks for, and a repacker with each claim and each finding.
 *
 * <ul>
 *   <li><b>The first is noted</b>, in the operator's row. It comes with the first lease, so no
 *       container has a byte before it is known for whom.
 *   <li><b>A different one is noted, too</b>, beside it, and from then on nothing is emptied,
 *       deleted or put aside, by nobody ({@link Surplus#heldBack}): SCM cannot know which of the
 *       two is right, and what is written for either must not die by the judgement of the other.
 *       Its claims and findings are refused, surveys included, since figures of a survey outlive
 *       it. Its leases are granted: users of a table made anew may write while it is rebuilt.
 *   <li><b>None</b>, of a peer that is older than identities: leases are granted, claims refused.
 *   <li><b>The end of it</b> is a rebuild that is whole, or an operator's word. Both name the table
 *       that is right from then on, so it does not matter who comes next; the other one, if
 *       somebody still uses it, holds everything back again.
 * </ul>
 *
 * <p>Races:
 *
 * <ul>
 *   <li><i>Two come at once, each the first:</i> one is noted, by compare-and-set, the other meets
 *       it.
 *   <li><i>A table is replaced while needles are judged:</i> the object manager reads the identity
 *       before and after, and a repacker goes on only while it stays the same.
 *   <li><i>Between a finding that is let through and its row's DELETED another table is met:</i>
 *       what was judged by the noted one is dead by it; what the other table's users wrote is in
 *       containers that were leased by its object manager, which is when it was met, and is judged
 *       a commit window later.
 *   <li><i>A deposed leader goes by what it read long ago:</i> the rows refuse it.
 * </ul>
 */
final class KnownTable {
  private static final Logger LOG = LoggerFactory.getLogger(KnownTable.class);

  private final OperatorWords operator;
  private final StoreClock clock;

  KnownTable(OperatorWords operator, StoreClock clock) {
    this.operator = operator;
    this.clock = clock;
  }

  /** Notes a table that somebody works with, if it is the first or another one. */
  void meet(ByteString identity, String who) throws StoreException {
    if (identity.isEmpty() || explains(operator.latest(), identity)) {
      return;
    }
    OperatorWord now =
        operator.change(
            word -> {
              if (explains(word, identity)) {
                return word;
              }
              return word.getObjectTable().isEmpty()
                  ? word.toBuilder().setObjectTable(identity).build()
                  : word.toBuilder().setOtherTable(other(identity, who)).build();
            });
    if (now.getObjectTable().equals(identity)) {
      LOG.info("Containers belong to table object {}", WriteId.toHex(identity));
    } else {
      LOG.error("{}", heldBack(now));
    }
  }

  private OtherTable other(ByteString identity, String who) {
    return OtherTable.newBuilder()
        .setIdentity(identity)
        .setSinceMicros(clock.wallMicros())
        .setWho(who)
        .build();
  }

  /** Whether there is nothing to note: it is the right one, or the first wrong one is known. */
  private static boolean explains(OperatorWord word, ByteString identity) {
    return word.getObjectTable().equals(identity)
        || (!word.getObjectTable().isEmpty() && word.hasOtherTable());
  }

  /** Refuses whoever judges by another table than the one that containers belong to, or by none. */
  void require(ByteString identity, String who) throws StoreException {
    if (identity.isEmpty()) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_OLD,
          "Cannot judge containers: " + who + " does not say by which table object; is it old?");
    }
    meet(identity, who);
    OperatorWord now = operator.latest();
    if (!now.getObjectTable().equals(identity)) {
      throw new StoreException(
          ErrorCode.WRONG_CLUSTER,
          "Cannot judge containers by table object "
              + WriteId.toHex(identity)
              + ": "
              + heldBack(now));
    }
  }

  /** Why nothing may be emptied; empty if something may. */
  static String heldBack(OperatorWord word) {
    if (!word.hasOtherTable()) {
      return "";
    }
    return "containers belong to table object "
        + WriteId.toHex(word.getObjectTable())
        + ", and at "
        + Instant.ofEpochMilli(word.getOtherTable().getSinceMicros() / 1_000)
        + " "
        + word.getOtherTable().getWho()
        + " came with "
        + WriteId.toHex(word.getOtherTable().getIdentity())
        + ". Was the table lost and made anew? Then bring it back (stowage fsck --rebuild). Does an"
        + " object manager or gateway have another stowage.hbase.namespace? Then stop it. Nothing"
        + " is emptied, put aside or deleted before that rebuild is whole, or an operator says that"
        + " the table that his object managers have is the right one (stowage datanode quarantine"
        + " --accept)";
  }
}
