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
package io.stowage.fs;

import io.stowage.common.delegation.DelegationTokenIdentifier;
import java.io.IOException;
import java.lang.reflect.Constructor;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.token.Token;
import org.apache.hadoop.security.token.TokenRenewer;

/**
 * Renews and cancels delegation tokens for whoever has one: YARN's resource manager, {@code hadoop
 * dtutil}. Announced by a service file. Compiled for Java 8, since who renews tokens loads all
 * renewers that are announced; what does the work is loaded by name when there is some. Stateless.
 */
public class StowageTokenRenewer extends TokenRenewer {
  private static final String REAL_CLASS = "io.stowage.fs.TokenCalls";

  @Override
  public boolean handleKind(Text kind) {
    return DelegationTokenIdentifier.KIND.equals(kind);
  }

  @Override
  public boolean isManaged(Token<?> token) {
    return true;
  }

  @Override
  public long renew(Token<?> token, Configuration conf) throws IOException, InterruptedException {
    return calls().renew(token, conf);
  }

  @Override
  public void cancel(Token<?> token, Configuration conf) throws IOException, InterruptedException {
    calls().cancel(token, conf);
  }

  private static TokenRenewer calls() throws IOException {
    StowageFileSystem.requireJava(System.getProperty("java.specification.version"));
    try {
      Constructor<?> constructor =
          Class.forName(REAL_CLASS, true, StowageTokenRenewer.class.getClassLoader())
              .getDeclaredConstructor();
      return (TokenRenewer) constructor.newInstance();
    } catch (ReflectiveOperationException e) {
      throw new IOException("Cannot load " + REAL_CLASS + ": is the jar complete?", e);
    }
  }
}
