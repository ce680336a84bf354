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

import io.stowage.common.proto.EntityKind;
import java.util.HexFormat;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Rows of table {@code identity}. Described in {@code docs/format/hbase-tables.md}.
 *
 * <pre>
 * row key   'a' access key
 * i:k       what the access key stands for, and its secret: IdentityRecord
 *
 * row key   'u' name of a user
 * i:u       UserRecord
 *
 * row key   'g' name of a group, 'r' name of a role, 's' name of a key that seals sessions
 * i:e       EntityRecord
 *
 * row key   't' id of a delegation token, 16 hexadecimal digits
 * i:t       DelegationTokenRecord
 *
 * row key   'T'
 * i:T       DelegationKeysRecord: the keys that sign delegation tokens
 * </pre>
 */
public final class IdentityRowLayout {
  public static final String TABLE = "identity";
  public static final String FAMILIES = "i";
  public static final int FORMAT = 1;

  public static final Column ACCESS_KEY = new Column('i', Column.letter('k'));

  public static final Column USER = new Column('i', Column.letter('u'));

  public static final ByteString USERS = Column.letter('u');
  public static final ByteString BEHIND_USERS = Column.letter('v');

  public static final Column ENTITY = new Column('i', Column.letter('e'));

  public static final Column TOKEN = new Column('i', Column.letter('t'));
  public static final ByteString TOKENS = Column.letter('t');
  public static final ByteString BEHIND_TOKENS = Column.letter('u');

  public static final ByteString TOKEN_KEYS_ROW = Column.letter('T');
  public static final Column TOKEN_KEYS = new Column('i', Column.letter('T'));

  private IdentityRowLayout() {}

  /** Letter of the rows of a kind. */
  public static ByteString entities(EntityKind kind) {
    return Column.letter(
        switch (kind) {
          case GROUP -> 'g';
          case ROLE -> 'r';
          case SEALING_KEY -> 's';
          case ENTITY_NONE, UNRECOGNIZED -> throw new IllegalArgumentException("no such kind");
        });
  }

  public static ByteString entity(EntityKind kind, String name) {
    return entities(kind).concat(ByteString.copyFromUtf8(name));
  }

  public static ByteString row(String accessKey) {
    return ByteString.copyFromUtf8("a" + accessKey);
  }

  public static ByteString token(long id) {
    return ByteString.copyFromUtf8("t" + HexFormat.of().toHexDigits(id));
  }

  public static ByteString user(String name) {
    return ByteString.copyFromUtf8("u" + name);
  }
}
