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
package io.stowage.common.delegation;

import java.io.DataInput;
import java.io.DataOutput;
import java.io.IOException;
import org.apache.hadoop.io.Text;
import org.apache.hadoop.security.token.delegation.AbstractDelegationTokenIdentifier;

/**
 * The half of a delegation token that everybody may read: whose it is, who renews it, until when it
 * can be renewed, which key signed it. Hadoop's own fields, and behind them the id of the token's
 * row. Compiled for Java 8: a service file announces it, and YARN loads all that are announced.
 * Confined to its user until it is written, then read-only.
 */
public class DelegationTokenIdentifier extends AbstractDelegationTokenIdentifier {
  public static final Text KIND = new Text("STOWAGE_DELEGATION_TOKEN");

  private long id;

  /** To be read into. */
  public DelegationTokenIdentifier() {}

  public DelegationTokenIdentifier(long id, Text owner, Text renewer, Text realUser) {
    super(owner, renewer, realUser);
    this.id = id;
  }

  @Override
  public Text getKind() {
    return KIND;
  }

  /** 64 random bits. */
  public long id() {
    return id;
  }

  @Override
  public void write(DataOutput out) throws IOException {
    super.write(out);
    out.writeLong(id);
  }

  @Override
  public void readFields(DataInput in) throws IOException {
    super.readFields(in);
    id = in.readLong();
  }

  @Override
  public boolean equals(Object other) {
    return other instanceof DelegationTokenIdentifier
        && id == ((DelegationTokenIdentifier) other).id
        && super.equals(other);
  }

  @Override
  public int hashCode() {
    return Long.hashCode(id);
  }

  @Override
  public String toString() {
    return String.format("%s %016x, %s", KIND, id, super.toString());
  }
}
