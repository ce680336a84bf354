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

/**
 * How one request goes, for metrics: from when its head is here until its answer is with the
 * socket. Handed on with the request, to one thread at a time.
 */
public final class Course {
  /** Of requests that nobody has sent. */
  public static final Course UNTOLD = new Course(null);

  /** An operation that is not known, or not yet. */
  private static final String UNKNOWN = "Unknown";

  private final RequestFigures figures; // null: nobody is told
  private final long beginNanos = System.nanoTime();
  private volatile String operation = UNKNOWN;
  private int status;
  private long firstByteNanos = -1;
  private boolean over;

  Course(RequestFigures figures) {
    this.figures = figures;
  }

  /** What it asks for turned out to be this; one of few names. */
  public void is(String name) {
    if (figures != null) {
      operation = name;
    }
  }

  /** The head of its answer goes out. */
  void answering(int itsStatus) {
    if (status == 0) {
      status = itsStatus;
      firstByteNanos = System.nanoTime() - beginNanos;
    }
  }

  /** The answer is with the socket. */
  void ended() {
    tell(status);
  }

  /** The connection ends before the answer is out. */
  void cut() {
    tell(0);
  }

  private void tell(int itsStatus) {
    if (!over && figures != null) {
      over = true;
      figures.ended(operation, itsStatus, firstByteNanos, System.nanoTime() - beginNanos);
    }
  }
}
