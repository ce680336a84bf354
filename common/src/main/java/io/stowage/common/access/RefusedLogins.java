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
package io.stowage.common.access;

import io.stowage.common.policy.Question;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.apache.log4j.AppenderSkeleton;
import org.apache.log4j.Level;
import org.apache.log4j.Logger;
import org.apache.log4j.spi.LoggingEvent;

/**
 * Writes down in the audit log what Hadoop's RPC refuses before a call reaches anything of ours: a
 * ticket or a delegation token that does not hold, and a user whom a service's ACL does not let use
 * a protocol. Hadoop tells of them nowhere but on a logger, so that is where they are heard.
 * Thread-safe.
 *
 * <p>The logger is the JVM's: with two servers in one, each one's log has what either refused.
 */
public final class RefusedLogins implements AutoCloseable {
  private static final String LOGGER = "SecurityLogger.org.apache.hadoop";

  /** "Auth failed for ADDRESS:PORT:USER (WHY)"; in between there may be the host's name. */
  private static final Pattern LOGIN =
      Pattern.compile(
          "Auth failed for ((?:\\d{1,3}\\.){3}\\d{1,3}|(?:[0-9a-fA-F]+:){7}[0-9a-fA-F]+)?(.*)",
          Pattern.DOTALL);

  /** "Authorization failed for USER (auth:MECHANISM) for protocol=PROTOCOL…". */
  private static final Pattern PROTOCOL =
      Pattern.compile(
          "Authorization failed for (\\S+) \\(auth:([A-Z]+)\\).* for protocol=.*", Pattern.DOTALL);

  private final Logger logger = Logger.getLogger(LOGGER);
  private final Ear ear;

  private RefusedLogins(AuditLog audit) {
    this.ear = new Ear(audit);
  }

  /** From now on, until it is closed. */
  public static RefusedLogins into(AuditLog audit) {
    RefusedLogins heard = new RefusedLogins(audit);
    if (!heard.logger.isEnabledFor(Level.WARN)) {
      heard.logger.setLevel(Level.WARN);
    }
    heard.logger.addAppender(heard.ear);
    return heard;
  }

  @Override
  public void close() {
    logger.removeAppender(ear);
  }

  private static final class Ear extends AppenderSkeleton {
    private final AuditLog audit;

    Ear(AuditLog audit) {
      this.audit = audit;
      setThreshold(Level.WARN);
    }

    @Override
    protected void append(LoggingEvent event) {
      String said = event.getRenderedMessage();
      String line = said.replace('\n', ' ');
      Matcher login = LOGIN.matcher(line);
      if (login.matches()) {
        String address = login.group(1) == null ? "" : login.group(1);
        audit.refused(new Origin("", address, "RPC", ""), "authenticate", line);
        return;
      }
      Matcher protocol = PROTOCOL.matcher(line);
      if (protocol.matches()) {
        String user = protocol.group(1);
        audit.add(
            new Origin("", "", protocol.group(2), ""),
            new Question.Principal(user, user, false),
            "stowage:UseProtocol",
            null,
            null,
            null,
            false,
            line);
      }
    }

    @Override
    public boolean requiresLayout() {
      return false;
    }

    @Override
    public void close() {}
  }
}
