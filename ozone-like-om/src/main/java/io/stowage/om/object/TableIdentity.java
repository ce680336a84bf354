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
package io.stowage.om.object;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.RowCommitter.Outcome;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which table {@code object} this is: 16 random bytes in a row of no bucket. Thread-safe.
 *
 * <p>In a table that was dropped and made anew, or that is another HBase namespace's, every needle
 * of every container is dead: no head names it. Whoever went by that would empty all disks. So the
 * identity goes with every judgement, and SCM holds it against that of the table which its
 * containers were written for ({@code KnownTable} of SCM says what follows).
 *
 * <ul>
 *   <li><i>It lies among what it stands for</i>, not in the table's descriptor: what keeps the rows
 *       keeps it (HBase's snapshots and restores, exports of cells), and what loses them loses it
 *       (a drop, a {@code truncate}, which keeps descriptors).
 *   <li><i>Minted by whoever misses it first</i>, by "absent" in one mutation: of two object
 *       managers that start at once one wins, and both read it. A table of before there were
 *       identities gets one in the same way.
 *   <li><i>Read anew for every judgement, before and after it:</i> a table may be dropped and made
 *       again under an object manager that runs. Remembered only for leases ({@link #remembered}),
 *       which name it so that SCM knows it before there is a byte to lose, and which must not wait
 *       for the region of this one row.
 * </ul>
 *
 * <p>What it cannot tell: the same table restored to an older state by itself.
 */
public final class TableIdentity {
  private static final Logger LOG = LoggerFactory.getLogger(TableIdentity.class);
  private static final ByteString ROW = ObjectRowLayout.row(ObjectRowLayout.NO_BUCKET, "");

  private final RowCommitter rows;
  private final Stamps stamps;
  private volatile ByteString remembered;

  public TableIdentity(ObjectRows rows) {
    this.rows = rows.committer();
    this.stamps = rows.stamps();
  }

  /** As the table says now; minted if it says nothing. */
  public ByteString read() throws StoreException {
    ByteString found = find();
    if (found == null) {
      RowChange minted =
          new RowChange(stamps.now()).put(ObjectRowLayout.IDENTITY, WriteId.random());
      Outcome outcome = rows.commit(ROW, new Check.Absent(ObjectRowLayout.IDENTITY), minted);
      found = find(); // whoever minted it, what is there now counts
      if (found == null) {
        throw new StoreException(
            ErrorCode.UNAVAILABLE, "Cannot give table object an identity: " + outcome);
      }
    }
    if (!found.equals(remembered)) {
      remembered = found;
      LOG.info("Table object is {}", WriteId.toHex(found));
    }
    return found;
  }

  private ByteString find() throws StoreException {
    Cell cell = rows.get(ROW, List.of(ObjectRowLayout.IDENTITY)).cell(ObjectRowLayout.IDENTITY);
    return cell == null ? null : cell.value();
  }

  /** As it was read last. */
  public ByteString remembered() throws StoreException {
    ByteString last = remembered;
    return last == null ? read() : last;
  }
}
