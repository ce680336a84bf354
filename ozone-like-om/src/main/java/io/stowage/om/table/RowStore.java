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
package io.stowage.om.table;

import java.io.IOException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * One table, as narrow as the object manager needs it: atomic reads and conditional changes of one
 * row, and paged scans. Implementations are thread-safe and block.
 *
 * <p>A change that ended with an IOException may have happened, may still happen, and may have been
 * sent more than once; so may one that answered false have happened, by an earlier sending whose
 * answer was lost. The caller decides by looking for its write id.
 */
public interface RowStore {
  /** Reads these columns of a row, at one moment; those that are not there are left out. */
  Row get(ByteString row, List<Column> columns) throws IOException;

  /**
   * Reads these columns of many rows, each at some moment of the call; in the order asked for,
   * those that hold nothing without cells.
   */
  default List<Row> getAll(List<ByteString> rows, List<Column> columns) throws IOException {
    List<Row> all = new ArrayList<>(rows.size());
    for (ByteString row : rows) {
      all.add(get(row, columns));
    }
    return all;
  }

  /**
   * Reads the columns of one family with {@code from <= qualifier < to}, at most {@code limit}, in
   * order of their qualifiers.
   */
  Row getRange(ByteString row, char family, ByteString from, ByteString to, int limit)
      throws IOException;

  /**
   * Reads columns of these families of a row, at one moment; of each family the first cells, at
   * most {@code perFamily}.
   */
  Row getFamilies(ByteString row, String families, int perFamily) throws IOException;

  /** As above, all of them: of rows that are known to be small. */
  default Row getFamilies(ByteString row, String families) throws IOException {
    return getFamilies(row, families, Integer.MAX_VALUE);
  }

  /**
   * Reads rows with {@code from <= key < to} in order, at most {@code limit} of those that hold
   * anything in one of the families; of each family the first cells, at most {@code perFamily}.
   * Each row is read at one moment, the page is not.
   */
  List<Row> scanFirst(ByteString from, ByteString to, String families, int perFamily, int limit)
      throws IOException;

  /**
   * Reads rows with {@code from <= key < to} in order, at most {@code limit} of those that have a
   * head, in none of the unwanted states; of each family the first cells, at most {@code
   * perFamily}. Rows with an unwanted head are passed where they lie: nothing of them is sent, and
   * however many there are, the answer is waited for while the table shows that it goes on. Each
   * row is read at one moment, the page is not.
   */
  List<Row> scanHeads(
      ByteString from,
      ByteString to,
      Set<HeadState> unwanted,
      String families,
      int perFamily,
      int limit)
      throws IOException;

  /** Makes a change if the check holds, atomically and durably; false if it did not hold. */
  boolean checkAndMutate(ByteString row, Check check, RowChange change, Duration timeout)
      throws IOException;

  /** Makes a change whatever the row holds; durable when it returns. */
  void mutate(ByteString row, RowChange change, Duration timeout) throws IOException;

  /**
   * Reads rows with {@code from <= key < to} in order, at most {@code limit} of those that hold
   * cells in the family with stamps from {@code fromStamp} to below {@code toStamp} whose
   * qualifiers begin with the prefix; those cells only, of each row the first, at most {@code
   * perRow}. Files of HBase without such stamps are not opened. Of a column that was written again
   * since, an older cell may be seen.
   */
  List<Row> scanWritten(
      ByteString from,
      ByteString to,
      char family,
      ByteString qualifierPrefix,
      long fromStamp,
      long toStamp,
      int perRow,
      int limit)
      throws IOException;

  /**
   * Reads rows with {@code from <= key < to} in order, at most {@code limit} of those that hold a
   * cell in the family whose qualifier begins with the prefix. Each row is read at one moment, the
   * page is not.
   */
  List<Row> scan(ByteString from, ByteString to, char family, ByteString qualifierPrefix, int limit)
      throws IOException;
}
