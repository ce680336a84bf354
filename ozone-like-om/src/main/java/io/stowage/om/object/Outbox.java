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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.EventNote;
import io.stowage.common.proto.EventRecord;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.ScanEventsReply;
import io.stowage.common.proto.ScanEventsRequest;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.table.Cell;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Events that somebody is to be told of: cells of {@code g} written by the very mutation that makes
 * the change, so that there is an event if and only if there is the change, and deleted when every
 * target has it. Who tells is a gateway (docs/EVENTS.md). Thread-safe.
 *
 * <pre>
 * mutation: head + g:e ID ──► told at once by the gateway of the request ──► g:e ID deleted
 *                        └──► crash: found by the scan, told by whoever scans ──► deleted
 * </pre>
 *
 * A crash between telling and deleting tells twice: at least once is what is promised. The
 * collector leaves these cells alone, and a row that has one keeps it when its head goes. Deleting
 * reaches up to the cell's own stamp and ids are random, so it hides nothing.
 */
public final class Outbox {
  private static final int FORMAT = 1;
  private static final int MOST_ROWS = 1_000;

  private final RowCommitter rows;

  public Outbox(ObjectRows rows) {
    this.rows = rows.committer();
  }

  /**
   * Adds an event to the mutation that it is about.
   *
   * @param version what the mutation makes; null: nothing
   */
  static void add(RowChange change, EventNote note, ObjectVersion version) {
    if (note.getId().isEmpty()) {
      return;
    }
    EventRecord.Builder event = EventRecord.newBuilder().setFormat(FORMAT).setNote(note);
    if (version != null) {
      event.setVersion(
          version.toBuilder()
              .clearKey()
              .clearManifest()
              .clearMetadata()
              .clearPartLengths()
              .clearPartWriteIds()
              .clearPartChecksums()
              .clearChecksums());
    }
    change.put(ObjectRowLayout.event(note.getId()), event.build().toByteString());
  }

  /** Events by row, written in a range of stamps. */
  public ScanEventsReply scan(ScanEventsRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_ROWS : Math.min(MOST_ROWS, request.getLimit());
    ByteString from =
        request.getAfterRow().isEmpty()
            ? ByteString.EMPTY
            : ObjectRowLayout.behind(request.getAfterRow());
    List<Row> page =
        rows.scanWritten(
            from,
            ObjectRowLayout.END,
            'g',
            ObjectRowLayout.EVENTS,
            request.getFromStamp(),
            request.getToStamp() == 0 ? Long.MAX_VALUE : request.getToStamp(),
            Integer.MAX_VALUE,
            limit);
    ScanEventsReply.Builder reply = ScanEventsReply.newBuilder().setMore(page.size() == limit);
    for (Row row : page) {
      for (Cell cell : row.cells()) {
        reply.addEvents(parse(cell).toBuilder().setRow(row.key()).setStamp(cell.stamp()));
      }
      reply.setLastRow(row.key());
    }
    return reply.build();
  }

  /** Deletes one; it need not be there. */
  public void clear(ByteString row, ByteString id) throws StoreException {
    Cell cell = rows.get(row, List.of(ObjectRowLayout.event(id))).cell(ObjectRowLayout.event(id));
    if (cell != null) {
      rows.write(row, new RowChange(cell.stamp()).delete(cell.column()));
    }
  }

  private static EventRecord parse(Cell cell) throws StoreException {
    EventRecord record;
    try {
      record = EventRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read an event: " + e.getMessage());
    }
    if (record.getFormat() > FORMAT) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW, "Cannot read an event of format " + record.getFormat());
    }
    return record;
  }
}
