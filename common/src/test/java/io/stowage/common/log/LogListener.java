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
package io.stowage.common.log;

import java.util.function.Consumer;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;

/** Hands on what a logger, and those below it, log until it is closed; on their threads. */
public final class LogListener extends AppenderSkeleton implements AutoCloseable {
  private final Logger logger;
  private final Consumer<LoggingEvent> each;

  public LogListener(Logger logger, Consumer<LoggingEvent> each) {
    this.logger = logger;
    this.each = each;
    logger.addAppender(this);
  }

  @Override
  protected void append(LoggingEvent event) {
    each.accept(event);
  }

  @Override
  public void close() {
    logger.removeAppender(this);
  }

  @Override
  public boolean requiresLayout() {
    return false;
  }
}
