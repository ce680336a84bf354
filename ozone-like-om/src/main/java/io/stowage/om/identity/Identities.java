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
package io.stowage.om.identity;

import io.stowage.common.error.CorruptDataException;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.IdentityRecord;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/** The table of access keys. Thread-safe. */
public final class Identities {
  private static final int PLAIN = 0;

  private final RowCommitter rows;
  private final Stamps stamps;

  public Identities(RowCommitter rows, Stamps stamps) {
    this.rows = rows;
    this.stamps = stamps;
  }

  public Identity get(String accessKey) throws StoreException {
    Cell cell = accessKey.isEmpty() ? null : read(accessKey);
    if (cell == null) {
      throw new StoreException(ErrorCode.ACCESS_DENIED, "Cannot find access key " + accessKey);
    }
    IdentityRecord record;
    try {
      record = IdentityRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read access key " + accessKey);
    }
    if (record.getFormat() > IdentityRowLayout.FORMAT || record.getSecretCipher() != PLAIN) {
      throw new StoreException(
          ErrorCode.FORMAT_TOO_NEW,
          "Cannot read access key "
              + accessKey
              + ": format "
              + record.getFormat()
              + ", cipher "
              + record.getSecretCipher());
    }
    return record.getIdentity().toBuilder()
        .setAccessKey(accessKey)
        .setSecretKey(record.getSecret().toStringUtf8())
        .build();
  }

  /** Creates an access key or gives it another secret. */
  public void put(Identity identity) throws StoreException {
    if (identity.getAccessKey().isEmpty() || identity.getSecretKey().isEmpty()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT, "Cannot store an identity without access key and secret");
    }
    Cell before = read(identity.getAccessKey());
    IdentityRecord record =
        IdentityRecord.newBuilder()
            .setFormat(IdentityRowLayout.FORMAT)
            .setIdentity(identity.toBuilder().clearAccessKey().clearSecretKey())
            .setSecret(ByteString.copyFromUtf8(identity.getSecretKey()))
            .setSecretCipher(PLAIN)
            .build();
    rows.write(
        IdentityRowLayout.row(identity.getAccessKey()),
        new RowChange(stamps.above(before == null ? 0 : before.stamp()))
            .put(IdentityRowLayout.ACCESS_KEY, record.toByteString()));
  }

  private Cell read(String accessKey) throws StoreException {
    return rows.get(IdentityRowLayout.row(accessKey), List.of(IdentityRowLayout.ACCESS_KEY))
        .cell(IdentityRowLayout.ACCESS_KEY);
  }
}
