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

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.proto.Extent;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.CodedInputStream;
import org.apache.hadoop.thirdparty.protobuf.CodedOutputStream;

/**
 * Extents of an open file's tail, each as what differs from the one before: about 7 bytes where an
 * {@link Extent} has 40. The list is written anew by every hsync, and every byte of it goes to
 * HBase's log. Stateless.
 *
 * <pre>
 * extent   flags (1)  what the flags say changed, in this order  length  first shard
 * flags    1 container (8) and epoch (varint), and the offset is not relative to the last
 *          2 header length   4 cell length: not that of a packed extent   8 width   16 not packed
 * offset   zigzag varint, difference to the last extent's; all else: varints
 * </pre>
 *
 * A packed extent lies in one cell, whatever its cell's length: it is kept as the extent's own.
 */
public final class TailExtents {
  private static final int NEW_CONTAINER = 1;
  private static final int NEW_HEADER_LENGTH = 2;
  private static final int CELL_LENGTH = 4;
  private static final int WIDTH = 8;
  private static final int NOT_PACKED = 16;

  private static final Extent NOTHING = Extent.getDefaultInstance();

  private TailExtents() {}

  /** An extent as it comes back from here. */
  public static Extent normal(Extent extent) {
    return extent.getPacked()
        ? extent.toBuilder().setCellLength((int) extent.getLength()).setWidth(1).build()
        : extent;
  }

  /** Writes extents. */
  public static ByteString encode(List<Extent> extents) {
    ByteString.Output bytes = ByteString.newOutput();
    CodedOutputStream out = CodedOutputStream.newInstance(bytes);
    Extent last = NOTHING;
    try {
      for (Extent raw : extents) {
        Extent extent = normal(raw);
        write(out, last, extent);
        last = extent;
      }
      out.flush();
    } catch (IOException e) {
      throw new IllegalStateException(e); // memory does not fail
    }
    return bytes.toByteString();
  }

  private static void write(CodedOutputStream out, Extent last, Extent extent) throws IOException {
    boolean elsewhere =
        extent.getContainer() != last.getContainer() || extent.getEpoch() != last.getEpoch();
    boolean cellLength = !extent.getPacked() || extent.getCellLength() != extent.getLength();
    int flags =
        (elsewhere ? NEW_CONTAINER : 0)
            | (extent.getHeaderLength() != last.getHeaderLength() ? NEW_HEADER_LENGTH : 0)
            | (cellLength ? CELL_LENGTH : 0)
            | (extent.getWidth() != 1 ? WIDTH : 0)
            | (extent.getPacked() ? 0 : NOT_PACKED);
    out.writeRawByte((byte) flags);
    if (elsewhere) {
      out.writeFixed64NoTag(extent.getContainer());
      out.writeUInt64NoTag(extent.getEpoch());
    }
    out.writeSInt64NoTag(extent.getOffset() - (elsewhere ? 0 : last.getOffset()));
    if ((flags & NEW_HEADER_LENGTH) != 0) {
      out.writeUInt32NoTag(extent.getHeaderLength());
    }
    if (cellLength) {
      out.writeUInt32NoTag(extent.getCellLength());
    }
    if ((flags & WIDTH) != 0) {
      out.writeUInt32NoTag(extent.getWidth());
    }
    out.writeUInt64NoTag(extent.getLength());
    out.writeUInt32NoTag(extent.getFirstShard());
  }

  /** Reads extents. */
  public static List<Extent> decode(ByteString bytes) throws CorruptDataException {
    List<Extent> extents = new ArrayList<>();
    CodedInputStream in = bytes.newCodedInput();
    Extent last = NOTHING;
    try {
      while (!in.isAtEnd()) {
        last = read(in, last);
        extents.add(last);
      }
    } catch (IOException e) {
      throw new CorruptDataException("Cannot read an open file's extents: " + e.getMessage());
    }
    return extents;
  }

  private static Extent read(CodedInputStream in, Extent last) throws IOException {
    int flags = in.readRawByte();
    Extent.Builder extent = Extent.newBuilder();
    boolean elsewhere = (flags & NEW_CONTAINER) != 0;
    extent.setContainer(elsewhere ? in.readFixed64() : last.getContainer());
    extent.setEpoch(elsewhere ? in.readUInt64() : last.getEpoch());
    extent.setOffset(in.readSInt64() + (elsewhere ? 0 : last.getOffset()));
    extent.setHeaderLength(
        (flags & NEW_HEADER_LENGTH) != 0 ? in.readUInt32() : last.getHeaderLength());
    int cellLength = (flags & CELL_LENGTH) != 0 ? in.readUInt32() : 0;
    extent.setWidth((flags & WIDTH) != 0 ? in.readUInt32() : 1);
    extent.setPacked((flags & NOT_PACKED) == 0);
    extent.setLength(in.readUInt64());
    extent.setFirstShard(in.readUInt32());
    extent.setCellLength((flags & CELL_LENGTH) != 0 ? cellLength : (int) extent.getLength());
    return extent.build();
  }
}
