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
package io.stowage.s3.payload;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.util.ByteProcessor;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import io.stowage.s3.http.BodySource;
import java.io.ByteArrayOutputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Locale;
import java.util.Map;

/**
 * A multipart/form-data body (RFC 7578) as browsers send it: fields, which are held, then one file,
 * which passes through. Whatever follows the file is read and not looked at. Holds {@link
 * #MOST_BYTES_BEFORE_FILE} of fields and one piece of the file. Confined to one thread.
 */
public final class MultipartForm implements AutoCloseable {
  /** S3's own limit of everything before the file. */
  static final int MOST_BYTES_BEFORE_FILE = 20 << 10;

  /** Fields behind the file; a longer rest is left unread, and the connection ends. */
  private static final int MOST_BYTES_AFTER_FILE = 64 << 10;

  private static final int LONGEST_BOUNDARY = 70;
  private static final String USER_METADATA = "x-amz-meta-";

  private final BodySource raw;
  private final byte[] delimiter;
  private final Map<String, String> fields = new LinkedHashMap<>();
  private String fileName = "";
  private ByteBuf piece;
  private int bytesBeforeFile;

  private MultipartForm(BodySource raw, byte[] delimiter) {
    this.raw = raw;
    this.delimiter = delimiter;
  }

  /**
   * Reads as far as the file's first byte.
   *
   * @param contentType of the request, which names the boundary
   */
  public static MultipartForm open(BodySource raw, String contentType) throws S3Exception {
    MultipartForm form =
        new MultipartForm(
            raw, ("\r\n--" + boundary(contentType)).getBytes(StandardCharsets.ISO_8859_1));
    try {
      form.readFields();
      return form;
    } catch (S3Exception | RuntimeException e) {
      form.close();
      throw e;
    }
  }

  /** Whether a request with this Content-Type carries a form. */
  public static boolean isForm(String contentType) {
    return contentType != null
        && contentType.trim().toLowerCase(Locale.ROOT).startsWith("multipart/form-data");
  }

  /** Values by lower-case name, in the order of the form; the file is none of them. */
  public Map<String, String> fields() {
    return Collections.unmodifiableMap(fields);
  }

  /** Last component of the name under which the user's machine keeps the file; may be empty. */
  public String fileName() {
    return fileName;
  }

  /**
   * The file's bytes, whose end only the boundary tells. Call once.
   *
   * @param minBytes a shorter file is EntityTooSmall
   * @param maxBytes a longer one is EntityTooLarge, as soon as it is
   */
  public BodySource file(long minBytes, long maxBytes) {
    return new FileBody(minBytes, maxBytes);
  }

  @Override
  public void close() {
    if (piece != null) {
      piece.release();
      piece = null;
    }
    raw.close();
  }

  // ---- before the file

  private static String boundary(String contentType) throws S3Exception {
    for (String parameter : contentType.split(";", -1)) {
      String text = parameter.trim();
      if (text.toLowerCase(Locale.ROOT).startsWith("boundary=")) {
        String boundary = text.substring("boundary=".length());
        if (boundary.length() >= 2 && boundary.startsWith("\"") && boundary.endsWith("\"")) {
          boundary = boundary.substring(1, boundary.length() - 1);
        }
        if (!boundary.isEmpty() && boundary.length() <= LONGEST_BOUNDARY) {
          return boundary;
        }
      }
    }
    throw malformed();
  }

  private void readFields() throws S3Exception {
    // The first delimiter stands at the start of the body, or of a line after a preamble.
    readValue(new byte[] {'\r', '\n'});
    while (true) {
      if (!beginsPart()) {
        throw noFile();
      }
      String disposition = null;
      for (String line = readLine(); !line.isEmpty(); line = readLine()) {
        if (line.toLowerCase(Locale.ROOT).startsWith("content-disposition:")) {
          disposition = line.substring("content-disposition:".length());
        }
      }
      String name = disposition == null ? null : parameter(disposition, "name");
      if (name == null) {
        throw malformed();
      }
      name = name.toLowerCase(Locale.ROOT);
      if (name.equals("file")) {
        String path = parameter(disposition, "filename");
        fileName = path == null ? "" : lastComponent(path);
        return;
      }
      add(name, text(readValue(new byte[0])));
    }
  }

  private void add(String name, String value) throws S3Exception {
    String other = fields.get(name);
    if (other == null) {
      fields.put(name, value);
    } else if (name.startsWith(USER_METADATA)) {
      fields.put(name, other + "," + value);
    } else {
      // One of the two would be checked and the other used.
      throw new S3Exception(
              S3Error.INVALID_ARGUMENT, "POST form field " + name + " must be given only once")
          .with("ArgumentName", name)
          .with("ArgumentValue", value);
    }
  }

  /** What follows a delimiter: a line's end, or two hyphens behind the last part. */
  private boolean beginsPart() throws S3Exception {
    int first = readByte();
    if (first == '-' && readByte() == '-') {
      return false;
    }
    while (first == ' ' || first == '\t') {
      first = readByte();
    }
    if (first != '\r' || readByte() != '\n') {
      throw malformed();
    }
    return true;
  }

  /** Everything up to the next delimiter, which may begin in {@code seen}. */
  private byte[] readValue(byte[] seen) throws S3Exception {
    ByteArrayOutputStream value = new ByteArrayOutputStream();
    value.writeBytes(seen);
    byte[] window = new byte[delimiter.length];
    System.arraycopy(seen, 0, window, window.length - seen.length, seen.length);
    int length = seen.length;
    while (true) {
      byte b = (byte) readByte();
      value.write(b);
      length++;
      System.arraycopy(window, 1, window, 0, window.length - 1);
      window[window.length - 1] = b;
      if (length >= delimiter.length
          && b == delimiter[delimiter.length - 1]
          && Arrays.equals(window, delimiter)) {
        return Arrays.copyOf(value.toByteArray(), length - delimiter.length);
      }
    }
  }

  private String readLine() throws S3Exception {
    ByteArrayOutputStream line = new ByteArrayOutputStream();
    for (int b = readByte(); b != '\n'; b = readByte()) {
      line.write(b);
    }
    byte[] bytes = line.toByteArray();
    if (bytes.length == 0 || bytes[bytes.length - 1] != '\r') {
      throw malformed();
    }
    return text(Arrays.copyOf(bytes, bytes.length - 1));
  }

  private int readByte() throws S3Exception {
    if (++bytesBeforeFile > MOST_BYTES_BEFORE_FILE) {
      throw new S3Exception(S3Error.MAX_POST_PRE_DATA_LENGTH_EXCEEDED)
          .with("MaxPostPreDataLengthBytes", Integer.toString(MOST_BYTES_BEFORE_FILE));
    }
    while (piece == null || !piece.isReadable()) {
      if (!fill()) {
        throw malformed();
      }
    }
    return piece.readByte() & 0xff;
  }

  private boolean fill() throws S3Exception {
    if (piece != null) {
      piece.release();
    }
    piece = raw.next();
    return piece != null;
  }

  private static String text(byte[] bytes) throws S3Exception {
    try {
      return StandardCharsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString();
    } catch (CharacterCodingException e) {
      throw malformed();
    }
  }

  /** A parameter of a Content-Disposition; null if it is not there. */
  private static String parameter(String disposition, String name) {
    int i = disposition.indexOf(';');
    while (i >= 0 && i < disposition.length()) {
      int equals = disposition.indexOf('=', i);
      if (equals < 0) {
        return null;
      }
      String found = disposition.substring(i + 1, equals).trim();
      StringBuilder value = new StringBuilder();
      i = equals + 1;
      if (i < disposition.length() && disposition.charAt(i) == '"') {
        for (i++; i < disposition.length() && disposition.charAt(i) != '"'; i++) {
          // A backslash hides a quote only: some browsers send the user's path with backslashes.
          if (disposition.charAt(i) == '\\'
              && i + 1 < disposition.length()
              && disposition.charAt(i + 1) == '"') {
            i++;
          }
          value.append(disposition.charAt(i));
        }
        i = disposition.indexOf(';', i);
      } else {
        int end = disposition.indexOf(';', i);
        value.append(disposition.substring(i, end < 0 ? disposition.length() : end).trim());
        i = end;
      }
      if (found.equalsIgnoreCase(name)) {
        return value.toString();
      }
    }
    return null;
  }

  private static String lastComponent(String path) {
    return path.substring(Math.max(path.lastIndexOf('/'), path.lastIndexOf('\\')) + 1);
  }

  // ---- the file

  /** What stands between the file's header and the next delimiter. */
  private final class FileBody implements BodySource {
    private final long minBytes;
    private final long maxBytes;
    private final ByteBuf wanted = Unpooled.wrappedBuffer(delimiter); // on the heap
    private long length;
    private boolean ended;

    FileBody(long minBytes, long maxBytes) {
      this.minBytes = minBytes;
      this.maxBytes = maxBytes;
    }

    @Override
    public ByteBuf next() throws S3Exception {
      while (!ended) {
        if (piece == null || !piece.isReadable()) {
          if (!fill()) {
            throw malformed();
          }
        }
        int start = piece.readerIndex();
        int found = find();
        int bytes = found - start;
        ended = piece.writerIndex() - found >= delimiter.length;
        ByteBuf content = bytes == 0 ? null : piece.readRetainedSlice(bytes);
        if (ended) {
          piece.skipBytes(delimiter.length);
          try {
            finish(bytes);
          } catch (S3Exception e) {
            if (content != null) {
              content.release();
            }
            throw e;
          }
        } else if (piece.isReadable()) {
          // The beginning of a delimiter, or of nothing: the next piece tells.
          joinNext();
        }
        if (content != null) {
          length += ended ? 0 : bytes;
          checkMost(content);
          return content;
        }
      }
      return null;
    }

    /** Where a delimiter begins that is in the piece, or may begin at its end; or the end. */
    private int find() {
      int from = piece.readerIndex();
      while (true) {
        int at =
            piece.forEachByte(
                from, piece.writerIndex() - from, new ByteProcessor.IndexOfProcessor((byte) '\r'));
        if (at < 0) {
          return piece.writerIndex();
        }
        int comparable = Math.min(delimiter.length, piece.writerIndex() - at);
        if (ByteBufUtil.equals(piece, at, wanted, 0, comparable)) {
          return at;
        }
        from = at + 1;
      }
    }

    private void joinNext() throws S3Exception {
      byte[] tail = new byte[piece.readableBytes()];
      piece.readBytes(tail);
      if (!fill()) {
        throw malformed();
      }
      piece = Unpooled.wrappedBuffer(Unpooled.wrappedBuffer(tail), piece);
    }

    private void finish(int lastBytes) throws S3Exception {
      length += lastBytes;
      if (length < minBytes) {
        throw new S3Exception(S3Error.ENTITY_TOO_SMALL)
            .with("ProposedSize", Long.toString(length))
            .with("MinSizeAllowed", Long.toString(minBytes));
      }
      int rest = piece.readableBytes();
      while (rest <= MOST_BYTES_AFTER_FILE && fill()) {
        rest += piece.readableBytes();
      }
    }

    private void checkMost(ByteBuf content) throws S3Exception {
      if (length > maxBytes) {
        content.release();
        throw new S3Exception(S3Error.ENTITY_TOO_LARGE)
            .with("ProposedSize", Long.toString(length))
            .with("MaxSizeAllowed", Long.toString(maxBytes));
      }
    }

    @Override
    public long declaredLength() {
      return -1;
    }

    @Override
    public boolean tellsItsEnd() {
      return true;
    }

    @Override
    public void close() {
      MultipartForm.this.close();
    }
  }

  private static S3Exception malformed() {
    return new S3Exception(S3Error.MALFORMED_POST_REQUEST);
  }

  private static S3Exception noFile() {
    return new S3Exception(
            S3Error.INVALID_ARGUMENT, "POST requires exactly one file upload per request.")
        .with("ArgumentName", "file")
        .with("ArgumentValue", "0");
  }
}
