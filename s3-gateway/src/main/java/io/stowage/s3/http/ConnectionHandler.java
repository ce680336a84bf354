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
import io.netty.buffer.ByteBufUtil;
import io.netty.buffer.Unpooled;
import io.netty.channel.Channel;
import io.netty.channel.ChannelFutureListener;
import io.netty.channel.ChannelHandlerContext;
import io.netty.channel.ChannelInboundHandlerAdapter;
import io.netty.channel.socket.DuplexChannel;
import io.netty.handler.codec.TooLongFrameException;
import io.netty.handler.codec.http.DefaultFullHttpResponse;
import io.netty.handler.codec.http.DefaultHttpContent;
import io.netty.handler.codec.http.DefaultHttpResponse;
import io.netty.handler.codec.http.DefaultLastHttpContent;
import io.netty.handler.codec.http.EmptyHttpHeaders;
import io.netty.handler.codec.http.FullHttpRequest;
import io.netty.handler.codec.http.HttpContent;
import io.netty.handler.codec.http.HttpHeaderNames;
import io.netty.handler.codec.http.HttpHeaderValues;
import io.netty.handler.codec.http.HttpHeaders;
import io.netty.handler.codec.http.HttpRequest;
import io.netty.handler.codec.http.HttpResponse;
import io.netty.handler.codec.http.HttpResponseStatus;
import io.netty.handler.codec.http.HttpUtil;
import io.netty.handler.codec.http.HttpVersion;
import io.netty.handler.codec.http.LastHttpContent;
import io.netty.handler.codec.http.TooLongHttpHeaderException;
import io.netty.handler.timeout.IdleStateEvent;
import io.netty.util.ReferenceCountUtil;
import io.stowage.s3.error.S3Error;
import io.stowage.s3.error.S3Exception;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import org.slf4j.MDC;

/**
 * One connection of HTTP/1.1, or one stream of HTTP/2, which carries one request: takes its
 * requests one after the other, hands each to a worker and sends the answers in the same order.
 * Requests that a client sends ahead wait here, and while any waits the socket is read no more.
 * Owns the request at work and its body. Confined to its event loop, but for {@link #run}, {@link
 * #send} (workers) and {@link #whenWritable}.
 */
// A write or close that fails ends the channel, and channelInactive cleans up.
@SuppressWarnings("FutureReturnValueIgnored")
final class ConnectionHandler extends ChannelInboundHandlerAdapter implements Connection.Speaker {
  private static final Logger LOG = LoggerFactory.getLogger(ConnectionHandler.class);

  /** Under this name every line that is logged for a request finds its id. */
  static final String REQUEST = "request";

  /** One request and where it stands. */
  private static final class Exchange {
    final String requestId;
    final HttpRequest head;
    final boolean keepAlive;
    final Course course;
    GatheredBody gathered;
    StreamedBody streamed;
    long reservedBytes;
    boolean answered;

    /** Bytes of the answer's beginning that went ahead of it; null if none did. */
    ByteBuf sentAhead;

    /** Sends white space time and again; null if the operation did not ask for it. */
    Future<?> patience;

    /** What the operation knows of its answer's headers, for a head that goes ahead. */
    HttpHeaders knownHeaders;

    Exchange(String requestId, HttpRequest head, boolean keepAlive, Course course) {
      this.requestId = requestId;
      this.head = head;
      this.keepAlive = keepAlive;
      this.course = course;
    }
  }

  private final HttpServer server;
  private final RequestHandler handler;
  private final String tlsVersion;
  private final MessagesAhead ahead = new MessagesAhead();
  private ChannelHandlerContext ctx;
  private Exchange current;

  /** The end of the current request's body has not been read. */
  private volatile boolean bodyOpen;

  /** Whatever comes in is dropped; the connection is about to close. */
  private boolean discarding;

  /** Body bytes since then, of the current request. */
  private long paceBytes;

  private long paceSinceNanos;

  private volatile boolean draining;
  private Runnable onWritable;
  private Future<?> readerDeadline;

  /** Pieces of a response that were handed to the channel and have not left it. */
  private final AtomicInteger piecesOnTheirWay = new AtomicInteger();

  /**
   * @param tlsVersion null: without
   */
  ConnectionHandler(HttpServer server, RequestHandler handler, String tlsVersion) {
    this.server = server;
    this.handler = handler;
    this.tlsVersion = tlsVersion;
  }

  // ---- what the channel tells

  @Override
  public void handlerAdded(ChannelHandlerContext context) {
    ctx = context;
  }

  @Override
  public void channelInactive(ChannelHandlerContext context) {
    discarding = true;
    failBody(S3Error.INCOMPLETE_BODY);
    ahead.clear();
    if (current != null && current.gathered != null && bodyOpen) {
      // It never reached a worker, so that nobody else frees it.
      current.gathered.close();
      release(current);
      current = null;
    }
    wakeWriter();
  }

  @Override
  public void channelRead(ChannelHandlerContext context, Object message) {
    if (discarding) {
      ReferenceCountUtil.release(message);
    } else {
      ahead.add(message);
      takeNext();
    }
  }

  @Override
  public void channelWritabilityChanged(ChannelHandlerContext context) {
    if (context.channel().isWritable()) {
      wakeWriter();
      takeNext();
    }
  }

  @Override
  public void userEventTriggered(ChannelHandlerContext context, Object event) {
    if (!(event instanceof IdleStateEvent)) {
      return;
    }
    if (current == null || isOutputStuck()) {
      context.close();
    } else if (current.gathered != null && bodyOpen) {
      refuse(new S3Exception(S3Error.REQUEST_TIMEOUT));
    } else if (current.streamed != null && current.streamed.isStarving()) {
      failBody(S3Error.REQUEST_TIMEOUT);
    }
  }

  @Override
  public void exceptionCaught(ChannelHandlerContext context, Throwable cause) {
    if (cause instanceof IOException) {
      LOG.debug("Connection {} failed", context.channel(), cause);
    } else {
      LOG.warn("Cannot go on with connection {}", context.channel(), cause);
    }
    context.close();
  }

  // ---- requests in

  private void accept(Object message) {
    if (message instanceof HttpRequest request) {
      begin(request);
    }
    if (message instanceof HttpContent content) {
      if (current == null || discarding) {
        content.release();
      } else {
        take(content);
      }
    } else if (!(message instanceof HttpRequest)) {
      ReferenceCountUtil.release(message);
    }
  }

  private void begin(HttpRequest head) {
    bodyOpen = true;
    boolean keepAlive = HttpUtil.isKeepAlive(head) && !awaitsContinueInVain(head);
    current = new Exchange(server.newRequestId(), head, keepAlive, new Course(server.figures()));
    paceBytes = 0;
    if (head.decoderResult().isFailure()) {
      refuse(decoderFailure(head.decoderResult().cause()));
      return;
    }
    if (head.headers().getAll(HttpHeaderNames.HOST).size() > 1) {
      refuse(new S3Exception(S3Error.BAD_REQUEST, "A request has one Host header"));
      return;
    }
    if (head instanceof FullHttpRequest && !HttpUtil.isContentLengthSet(head)) {
      head.headers().set(HttpHeaderNames.CONTENT_LENGTH, 0); // HTTP/2 said that nothing follows
    }
    // Whatever else is expected is ignored, as S3 does.
    boolean awaitsContinue = HttpUtil.is100ContinueExpected(head);
    boolean chunked = HttpUtil.isTransferEncodingChunked(head);
    long length = chunked ? -1 : HttpUtil.getContentLength(head, 0L);
    // Who waits for leave to send much, or has signed nothing, gets it when a worker, having looked
    // at signature and policies, wants the bytes. A little that is signed is let in at once: no
    // worker has to wait for it, and clients that lose the text of an error which comes in place
    // of 100 (Java's HttpURLConnection) see it.
    boolean waitsForWord = awaitsContinue && length > 0 && !isSigned(head);
    if (length >= 0 && length <= server.limits().gatherBytes() && !waitsForWord) {
      if (length > 0 && !server.requestMemory().tryAcquire(length)) {
        refuse(new S3Exception(S3Error.SLOW_DOWN));
        return;
      }
      current.reservedBytes = length;
      current.gathered = new GatheredBody();
      if (awaitsContinue && length > 0) {
        sendContinue();
      }
      return; // a worker is taken when the last of it is here
    }
    if (!server.beginStreaming()) {
      refuse(new S3Exception(S3Error.SLOW_DOWN));
      return;
    }
    current.streamed =
        new StreamedBody(
            ctx.channel(), length, server.bodyMemory(), awaitsContinue ? this::sendContinue : null);
    work(current, current.streamed);
  }

  /** Whether a request claims to be somebody's, in its headers or in its query. */
  private static boolean isSigned(HttpRequest head) {
    return head.headers().contains(HttpHeaderNames.AUTHORIZATION)
        || head.uri().contains("Signature=");
  }

  /**
   * Whether a client waits for 100-continue before a body that is empty. It gets none: the AWS SDK
   * for Java takes that for the answer. Nor does its connection go on: botocore takes the status
   * that came in place of 100 for that of its next call.
   */
  private static boolean awaitsContinueInVain(HttpRequest head) {
    return HttpUtil.is100ContinueExpected(head)
        && !HttpUtil.isTransferEncodingChunked(head)
        && head.headers().get(HttpHeaderNames.CONTENT_LENGTH, "0").trim().equals("0");
  }

  private void take(HttpContent content) {
    boolean last = content instanceof LastHttpContent;
    if (!last && isTooSlow(content.content().readableBytes())) {
      content.release();
      if (current.streamed != null) {
        failBody(S3Error.REQUEST_TIMEOUT);
        discarding = true;
      } else {
        refuse(new S3Exception(S3Error.REQUEST_TIMEOUT));
      }
      return;
    }
    if (content.decoderResult().isFailure()) {
      content.release();
      if (current.streamed != null) {
        failBody(S3Error.INCOMPLETE_BODY);
        discarding = true;
      } else {
        refuse(new S3Exception(S3Error.INCOMPLETE_BODY));
      }
      return;
    }
    if (last) {
      bodyOpen = false;
    }
    ByteBuf bytes = content.content();
    server.figures().received(bytes.readableBytes());
    if (current.streamed != null) {
      current.streamed.offer(bytes);
      if (last) {
        current.streamed.end();
      }
    } else if (current.gathered != null) {
      current.gathered.add(bytes);
      if (last) {
        work(current, current.gathered);
      }
    } else {
      bytes.release();
    }
  }

  /**
   * Whether a body trickles: less than {@link HttpLimits#SLOWEST_BODY_BYTES} in the time after
   * which a silent one is given up. Only time counts in which the gateway waits for the sender.
   */
  private boolean isTooSlow(int bytes) {
    long now = System.nanoTime();
    boolean waits = current.streamed == null || current.streamed.isStarving();
    if (!waits || paceBytes == 0) {
      paceSinceNanos = now;
      paceBytes = 0;
    }
    paceBytes += Math.max(1, bytes);
    if (now - paceSinceNanos < server.limits().idle().toNanos()) {
      return false;
    }
    boolean tooSlow = paceBytes < HttpLimits.SLOWEST_BODY_BYTES;
    paceBytes = 0;
    return tooSlow;
  }

  /** Whether what comes in next begins a request, or goes on with its head. */
  boolean awaitsHead() {
    return current == null && ahead.isEmpty() && !discarding;
  }

  private static S3Exception decoderFailure(Throwable cause) {
    if (cause instanceof TooLongHttpHeaderException) {
      return new S3Exception(S3Error.REQUEST_HEADER_SECTION_TOO_LARGE);
    }
    if (cause instanceof TooLongFrameException) {
      return new S3Exception(S3Error.INVALID_URI, "The specified URI is too long");
    }
    return new S3Exception(S3Error.BAD_REQUEST, "An error occurred when parsing the HTTP request");
  }

  private void sendContinue() {
    ctx.channel()
        .writeAndFlush(
            new DefaultFullHttpResponse(
                HttpVersion.HTTP_1_1, HttpResponseStatus.CONTINUE, Unpooled.EMPTY_BUFFER));
  }

  private void failBody(S3Error error) {
    if (current != null && current.streamed != null && bodyOpen) {
      current.streamed.fail(error);
    }
  }

  /**
   * Goes through what has been read: content of the current body always, a new request only once
   * the one before is answered and its answer has room in the socket.
   */
  private void takeNext() {
    while (!ahead.isEmpty()) {
      if (current == null ? !ctx.channel().isWritable() : !bodyOpen) {
        ctx.channel().config().setAutoRead(false);
        return;
      }
      Object message = ahead.poll();
      if (discarding) {
        ReferenceCountUtil.release(message);
      } else {
        accept(message);
      }
    }
    if (current == null || (bodyOpen && !isHeldBack())) {
      ctx.channel().config().setAutoRead(true);
    }
  }

  /** Whether a worker is behind with the current body; it asks for more when it has caught up. */
  private boolean isHeldBack() {
    return current.streamed != null && current.streamed.isPaused();
  }

  // ---- work

  private void work(Exchange exchange, BodySource body) {
    Request request =
        new Request(
            exchange.requestId,
            exchange.head.method().name(),
            exchange.head.uri(),
            exchange.head.headers(),
            body,
            remoteAddress(),
            tlsVersion,
            known -> ctx.executor().execute(() -> bePatient(exchange, known)),
            exchange.course);
    long since = System.nanoTime();
    if (!server.submitRequest(() -> run(exchange, request, since))) {
      body.close();
      refuse(new S3Exception(S3Error.SLOW_DOWN));
    }
  }

  private String remoteAddress() {
    return ctx.channel().remoteAddress() instanceof InetSocketAddress peer
        ? peer.getAddress().getHostAddress()
        : "";
  }

  /** On a worker. */
  private void run(Exchange exchange, Request request, long sinceNanos) {
    Response response;
    MDC.put(REQUEST, request.id());
    try {
      if (System.nanoTime() - sinceNanos > HttpLimits.LONGEST_WAIT.toNanos()) {
        // Its client has likely asked again: answering the old ones first would never end.
        server.figures().refusedRequest();
        throw new S3Exception(S3Error.SLOW_DOWN);
      }
      response = handler.handle(request);
    } catch (Exception | Error e) {
      response = handler.failure(request.id(), request.method(), request.target(), e);
    } finally {
      request.body().close();
      MDC.remove(REQUEST);
    }
    send(exchange, response);
  }

  /** The operation may take long from now on; its headers so far. */
  private void bePatient(Exchange exchange, HttpHeaders known) {
    exchange.knownHeaders = known;
    if (current != exchange
        || exchange.patience != null
        || exchange.answered
        || !exchange.head.protocolVersion().equals(HttpVersion.HTTP_1_1)) {
      return;
    }
    long millis = server.limits().patience().toMillis();
    exchange.patience =
        ctx.executor()
            .scheduleAtFixedRate(() -> sendSpace(exchange), millis, millis, TimeUnit.MILLISECONDS);
  }

  private void sendSpace(Exchange exchange) {
    if (current != exchange || exchange.answered || !ctx.channel().isActive()) {
      exchange.patience.cancel(false);
      return;
    }
    if (exchange.sentAhead == null) {
      Response beginning = handler.beginning(exchange.requestId);
      exchange.sentAhead = Unpooled.copiedBuffer(beginning.content());
      HttpResponse head = head(exchange, beginning);
      exchange.course.answering(beginning.status());
      head.headers().add(exchange.knownHeaders);
      head.headers().remove(HttpHeaderNames.CONTENT_LENGTH);
      HttpUtil.setTransferEncodingChunked(head, true);
      ctx.write(head);
      ctx.writeAndFlush(new DefaultHttpContent(beginning.content()));
    } else if (ctx.channel().isWritable()) {
      ctx.writeAndFlush(new DefaultHttpContent(Unpooled.wrappedBuffer(new byte[] {' '})));
    }
  }

  /** Behind what went ahead, the rest; an error too, for status and headers are out. */
  private void sendRest(Exchange exchange, Response response) {
    ByteBuf content = response.content();
    int ahead = exchange.sentAhead.readableBytes();
    sent(content.readableBytes());
    if (content.readableBytes() >= ahead
        && ByteBufUtil.equals(content, content.readerIndex(), exchange.sentAhead, 0, ahead)) {
      content.skipBytes(ahead);
    }
    ctx.writeAndFlush(new DefaultLastHttpContent(content));
    answered(exchange);
  }

  /** On a worker or on the event loop. */
  private void send(Exchange exchange, Response response) {
    if (response.stream() == null || response.length() == 0) {
      if (response.stream() != null) {
        response.stream().close();
      }
      ctx.executor().execute(() -> sendWhole(exchange, response));
      return;
    }
    new ResponsePump(
            this,
            ctx.channel(),
            server.responseMemory(),
            head(exchange, response),
            response.stream(),
            exchange.course,
            exchange.requestId,
            end -> streamed(exchange, end))
        .run();
  }

  private void streamed(Exchange exchange, ResponsePump.PumpEnd end) {
    switch (end.end()) {
      case SENT -> ctx.executor().execute(() -> answered(exchange));
      case FAILED_BEFORE_HEAD ->
          send(
              exchange,
              handler.failure(
                  exchange.requestId,
                  exchange.head.method().name(),
                  exchange.head.uri(),
                  end.cause()));
      case CUT -> {
        if (end.cause() != null) {
          LOG.warn(
              "Cannot finish the response to request {} ({}): closing the connection",
              exchange.requestId,
              LoggedTarget.of(exchange.head.uri()),
              end.cause());
        }
        ctx.executor()
            .execute(
                () -> {
                  exchange.course.cut();
                  release(exchange);
                  current = null;
                  ctx.close();
                });
      }
    }
  }

  private void sendWhole(Exchange exchange, Response response) {
    exchange.answered = true;
    if (exchange.sentAhead != null) {
      sendRest(exchange, response);
      return;
    }
    HttpResponse head = head(exchange, response);
    exchange.course.answering(response.status());
    sent(response.content().readableBytes());
    ctx.writeAndFlush(
        new DefaultFullHttpResponse(
            head.protocolVersion(),
            head.status(),
            response.content(),
            head.headers(),
            EmptyHttpHeaders.INSTANCE));
    answered(exchange);
  }

  private HttpResponse head(Exchange exchange, Response response) {
    HttpResponseStatus status = HttpResponseStatus.valueOf(response.status());
    HttpResponse head = new DefaultHttpResponse(HttpVersion.HTTP_1_1, status, response.headers());
    if (!status.equals(HttpResponseStatus.NO_CONTENT)
        && !status.equals(HttpResponseStatus.NOT_MODIFIED)) {
      head.headers().set(HttpHeaderNames.CONTENT_LENGTH, response.length());
    }
    head.headers().set(HttpHeaderNames.DATE, server.httpDate());
    head.headers().set(HttpHeaderNames.SERVER, "Stowage");
    if (!exchange.keepAlive || bodyOpen || draining) {
      head.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.CLOSE);
    } else if (exchange.head.protocolVersion().equals(HttpVersion.HTTP_1_0)) {
      head.headers().set(HttpHeaderNames.CONNECTION, HttpHeaderValues.KEEP_ALIVE);
    }
    return head;
  }

  /** The answer is with the channel: on to the next request, or to the end. */
  private void answered(Exchange exchange) {
    exchange.course.ended();
    release(exchange);
    if (current != exchange) {
      return; // the channel went away meanwhile
    }
    boolean unread = bodyOpen || discarding;
    current = null;
    bodyOpen = false;
    if (unread) {
      linger();
    } else if (!exchange.keepAlive || draining) {
      discarding = true;
      ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    } else {
      takeNext();
    }
  }

  /** On the event loop: answers a request that reached no worker. */
  private void refuse(S3Exception why) {
    Exchange exchange = current;
    if (why.error() == S3Error.SLOW_DOWN) {
      server.figures().refusedRequest();
    }
    if (exchange.gathered != null) {
      exchange.gathered.close();
    }
    discarding |= bodyOpen;
    sendWhole(
        exchange,
        handler.failure(
            exchange.requestId, exchange.head.method().name(), exchange.head.uri(), why));
  }

  /**
   * Closes without losing the answer: a socket closed over unread bytes is reset, and the client
   * would see that instead. So what still comes is read and dropped for a while.
   */
  private void linger() {
    discarding = true;
    ahead.clear();
    Channel channel = ctx.channel();
    channel.config().setAutoRead(true);
    ctx.writeAndFlush(Unpooled.EMPTY_BUFFER)
        .addListener(
            flushed -> {
              if (channel instanceof DuplexChannel duplex && flushed.isSuccess()) {
                duplex.shutdownOutput();
              }
              ctx.executor()
                  .schedule(
                      () -> channel.close(), HttpLimits.LINGER.toMillis(), TimeUnit.MILLISECONDS);
            });
  }

  private void release(Exchange exchange) {
    if (exchange.patience != null) {
      exchange.patience.cancel(false);
    }
    if (exchange.reservedBytes > 0) {
      server.requestMemory().release(exchange.reservedBytes);
      exchange.reservedBytes = 0;
    }
    if (exchange.streamed != null) {
      exchange.streamed.close();
      exchange.streamed = null;
      server.endStreaming();
    }
  }

  // ---- for the response pump and the server

  /** Bytes of an answer's body go out. */
  void sent(int bytes) {
    server.figures().sent(bytes);
  }

  void pieceSent() {
    piecesOnTheirWay.incrementAndGet();
  }

  void pieceArrived() {
    piecesOnTheirWay.decrementAndGet();
  }

  boolean submit(Runnable task) {
    return server.submitContinuation(task);
  }

  /**
   * Runs the task once the channel takes bytes again, or is gone. A reader that does not make room
   * in {@link HttpLimits#SLOWEST_READ} idle times is given up: a byte now and then would hold
   * memory for ever. Any thread.
   */
  void whenWritable(Runnable task) {
    ctx.executor()
        .execute(
            () -> {
              if (ctx.channel().isWritable() || !ctx.channel().isActive()) {
                task.run();
              } else {
                onWritable = task;
                long most = server.limits().idle().toMillis() * HttpLimits.SLOWEST_READ;
                readerDeadline =
                    ctx.executor().schedule(() -> ctx.close(), most, TimeUnit.MILLISECONDS);
              }
            });
  }

  private void wakeWriter() {
    if (readerDeadline != null) {
      readerDeadline.cancel(false);
      readerDeadline = null;
    }
    Runnable task = onWritable;
    onWritable = null;
    if (task != null) {
      task.run();
    }
  }

  private boolean isOutputStuck() {
    var outbound = ctx.channel().unsafe().outboundBuffer();
    // A stream of HTTP/2 has no buffer of its own; what it has written is still counted.
    return piecesOnTheirWay.get() > 0
        || (outbound != null && outbound.totalPendingWriteBytes() > 0);
  }

  @Override
  public void drain() {
    draining = true;
    if (current == null && !discarding) {
      discarding = true; // behind the last answer, of which the socket may not have taken all
      ctx.writeAndFlush(Unpooled.EMPTY_BUFFER).addListener(ChannelFutureListener.CLOSE);
    }
  }
}
