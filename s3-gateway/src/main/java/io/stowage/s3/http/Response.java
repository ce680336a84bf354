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
package io.stowage.s3.http;

import io.netty.buffer.ByteBuf;
import io.netty.buffer.Unpooled;
import io.netty.handler.codec.http.DefaultHttpHeaders;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaders;
import java.nio.charset.StandardCharsets;

/** An answer: status, headers and nothing, bytes at hand, or bytes still to be read. */
public final class Response {
  private final int status;
  private final HttpHeaders headers = new DefaultHttpHeaders();
  private final ByteBuf content;
  private final ResponseBody stream;
  private final long length;

  private Response(int status, ByteBuf content, ResponseBody stream, long length) {
    this.status = status;
    this.content = content;
    this.stream = stream;
    this.length = length;
  }

  public static Response empty(int status) {
    return new Response(status, Unpooled.EMPTY_BUFFER, null, 0);
  }

  /** For HEAD: the length that GET would have, and no bytes. */
  public static Response headOnly(int status, long length) {
    return new Response(status, Unpooled.EMPTY_BUFFER, null, length);
  }

  public static Response xml(int status, String document) {
    byte[] bytes = document.getBytes(StandardCharsets.UTF_8);
    Response response = new Response(status, Unpooled.wrappedBuffer(bytes), null, bytes.length);
    response.headers.set(HttpHeaderNames.CONTENT_TYPE, "application/xml");
    return response;
  }

  public static Response json(int status, String document) {
    byte[] bytes = document.getBytes(StandardCharsets.UTF_8);
    Response response = new Response(status, Unpooled.wrappedBuffer(bytes), null, bytes.length);
    response.headers().set(HttpHeaderNames.CONTENT_TYPE, "application/json");
    return response;
  }

  public static Response bytes(int status, byte[] bytes, String contentType) {
    Response response = new Response(status, Unpooled.wrappedBuffer(bytes), null, bytes.length);
    response.headers.set(HttpHeaderNames.CONTENT_TYPE, contentType);
    return response;
  }

  /** Takes over the stream, which is closed when the response is out or cannot be sent. */
  public static Response streaming(int status, ResponseBody stream) {
    return new Response(status, Unpooled.EMPTY_BUFFER, stream, stream.length());
  }

  /** Adds a header; IllegalArgumentException if the value cannot be one. */
  public Response header(CharSequence name, Object value) {
    headers.set(name, value);
    return this;
  }

  public int status() {
    return status;
  }

  public HttpHeaders headers() {
    return headers;
  }

  ByteBuf content() {
    return content;
  }

  /** Null if there is none. */
  ResponseBody stream() {
    return stream;
  }

  /** Bytes of the body, of a HEAD those that a GET would have. */
  public long length() {
    return length;
  }

  /** Frees what an answer that is not sent holds. */
  public void discard() {
    content.release();
    if (stream != null) {
      stream.close();
    }
  }
}
