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
import io.stowage.common.fault.CrashPoint;
import io.stowage.common.id.WriteId;
import io.stowage.common.proto.IdentityRecord;
import io.stowage.common.proto.User;
import io.stowage.common.proto.UserRecord;
import io.stowage.om.identity.UserRows.SeenUser;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.RowChange;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Gives users other names. Two rows change, and the user's keys, which name the user, must count
 * all the time. Each step compares the cell that was read before.
 *
 * <pre>
 *    row of the old name            row of the new name
 * 1                                 removed, renamed_from = old: reserved
 * 2  removed, renamed_to = new                                    commit point
 * 3                                 the user, renamed_from = old
 * 4  (rows of the keys say the new name)
 * 5                                 the user
 * </pre>
 *
 * <p>Whoever meets what is left by who died goes on: {@link #settled} does steps 3 to 5 when 2 is
 * done. A key's row that says the old name finds the user by {@link #follow}, so that step 4 is
 * only needed before the old name is anybody else's ({@link #readToReplace}) and before the user is
 * renamed again.
 *
 * <p>A reserved name may be taken by somebody else as long as 2 is not done. Whoever takes it first
 * (a) reads the reservation, (b) writes the row of the old name anew, with another stamp, or sees
 * that 2 is done, and (c) takes the name by comparing the reservation. A rename reserves anew in
 * each attempt, after it read both rows. So of the two one fails: (c) can only succeed after a 1
 * whose reservation (a) has read; (b) comes after that 1, and so after that attempt read the old
 * name's row, and is before its 2, which then fails, or behind it, and then sees it. Thread-safe.
 */
final class UserRenames {
  static final CrashPoint AFTER_RESERVED = CrashPoint.named("om.rename-user.after-reserved");
  static final CrashPoint AFTER_MOVED = CrashPoint.named("om.rename-user.after-moved");
  static final CrashPoint AFTER_LIVE = CrashPoint.named("om.rename-user.after-live");
  static final CrashPoint AFTER_KEYS = CrashPoint.named("om.rename-user.after-keys");

  private static final int MOST_ATTEMPTS = 100;

  private final RowCommitter rows;
  private final Stamps stamps;
  private final UserRows users;

  UserRenames(RowCommitter rows, Stamps stamps, UserRows users) {
    this.rows = rows;
    this.stamps = stamps;
    this.users = users;
  }

  /**
   * Renames a user; the same again finds it done.
   *
   * @param path the user's new one; empty: as it is
   */
  User rename(String from, String to, String path) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser there = readToReplace(to);
      SeenUser old = read(from);
      if (!old.exists()) {
        SeenUser now = old.renamedTo().equals(to) ? read(to) : old;
        if (now.exists() && isSame(old, now)) {
          return now.user();
        }
        throw noSuchUser(from);
      }
      if (there.exists()) {
        throw new StoreException(
            ErrorCode.KEY_EXISTS,
            "Cannot rename user " + from + " to " + to + ": there is one of that name");
      }
      if (reserve(there, from) && move(old, to, path)) {
        AFTER_MOVED.reach();
        SeenUser renamed = settled(users.read(to));
        if (renamed.exists()) {
          return renamed.user();
        }
        throw noSuchUser(to); // and removed at once by somebody else
      }
      rows.pause().backOff(attempt);
    }
    throw contended(from);
  }

  private boolean reserve(SeenUser there, String from) throws StoreException {
    boolean done =
        users.commit(
            there,
            UserRecord.newBuilder()
                .setRemoved(true)
                .setRenamedFrom(from)
                .setCreatedBy(WriteId.random())
                .build());
    if (done) {
      AFTER_RESERVED.reach();
    }
    return done;
  }

  private boolean move(SeenUser old, String to, String path) throws StoreException {
    User.Builder user = old.user().toBuilder();
    if (!path.isEmpty()) {
      user.setPath(path);
    }
    return users.commit(
        old,
        UserRecord.newBuilder()
            .setUser(user)
            .setCreatedBy(old.record().getCreatedBy())
            .setRemoved(true)
            .setRenamedTo(to)
            .build());
  }

  private static boolean isSame(SeenUser one, SeenUser other) {
    return one.record().getUser().getId().equals(other.record().getUser().getId());
  }

  /** A row as it is when what was begun with it is ended. */
  SeenUser read(String name) throws StoreException {
    return settled(users.read(name));
  }

  /** A user that is there. */
  SeenUser require(String name) throws StoreException {
    SeenUser seen = read(name);
    if (!seen.exists()) {
      throw noSuchUser(name);
    }
    return seen;
  }

  /** Who is called so, or was until another name was given. */
  SeenUser follow(String name) throws StoreException {
    SeenUser seen = read(name);
    if (seen.exists() || seen.renamedTo().isEmpty()) {
      return seen;
    }
    SeenUser now = read(seen.renamedTo());
    return now.exists() && isSame(seen, now) ? now : seen;
  }

  /** A row that somebody new may take if nobody has it. */
  SeenUser readToReplace(String name) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser seen = read(name);
      if (seen.exists()) {
        return seen;
      }
      if (!seen.renamedTo().isEmpty()) {
        // No key may say this name any more.
        read(seen.renamedTo());
        return seen;
      }
      if (seen.renamedFrom().isEmpty()) {
        return seen;
      }
      SeenUser old = read(seen.renamedFrom());
      if (old.renamedTo().equals(name)) {
        continue; // it is renamed, since we read the row
      }
      // So that a rename under way does not find the row that it read.
      if (!old.exists() || users.commit(old, old.record())) {
        return seen;
      }
      rows.pause().backOff(attempt);
    }
    throw contended(name);
  }

  /** Does what is left of a rename to this name, if it is past its commit point. */
  SeenUser settled(SeenUser met) throws StoreException {
    SeenUser seen = met;
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      if (seen.renamedFrom().isEmpty()) {
        return seen;
      }
      SeenUser old = users.read(seen.renamedFrom());
      boolean moved = old.renamedTo().equals(seen.name());
      boolean done;
      if (seen.exists()) {
        done = (!moved || tellKeys(old, seen.name())) && users.commit(seen, settled(seen.record()));
      } else if (moved) {
        done = users.commit(seen, live(old, seen));
        AFTER_LIVE.reach();
      } else {
        return seen; // reserved, no more
      }
      if (!done) {
        rows.pause().backOff(attempt);
      }
      seen = users.read(seen.name());
    }
    throw contended(met.name());
  }

  private static UserRecord settled(UserRecord record) {
    return record.toBuilder().clearRenamedFrom().build();
  }

  private static UserRecord live(SeenUser old, SeenUser reserved) {
    return UserRecord.newBuilder()
        .setUser(old.user())
        .setCreatedBy(old.record().getCreatedBy())
        .setRenamedFrom(reserved.renamedFrom())
        .build();
  }

  private boolean tellKeys(SeenUser old, String name) throws StoreException {
    boolean told = true;
    for (String key : old.record().getUser().getAccessKeysList()) {
      told &= tell(key, old, name);
    }
    AFTER_KEYS.reach();
    return told;
  }

  /** A key's row is to say the user's new name, if it says the old one; false: it changed. */
  private boolean tell(String accessKey, SeenUser old, String to) throws StoreException {
    Cell cell =
        rows.get(IdentityRowLayout.row(accessKey), List.of(IdentityRowLayout.ACCESS_KEY))
            .cell(IdentityRowLayout.ACCESS_KEY);
    if (cell == null) {
      return true;
    }
    IdentityRecord record;
    try {
      record = IdentityRecord.parseFrom(cell.value());
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read access key " + accessKey);
    }
    if (record.getRemoved() || !record.getIdentity().getUserName().equals(old.name())) {
      return true;
    }
    if (!old.cell().equals(users.read(old.name()).cell())) {
      // Somebody took the name, and told the keys before. If they say it, then because it is the
      // user's again; and if not, they have changed since we read what they say.
      return true;
    }
    // With its stamp: a name may come back, and a writer who has waited must not find his cell.
    long stamp = stamps.above(cell.stamp());
    IdentityRecord told =
        record.toBuilder()
            .setIdentity(record.getIdentity().toBuilder().setUserName(to))
            .setStamp(stamp)
            .build();
    return rows.commit(
            IdentityRowLayout.row(accessKey),
            Check.of(IdentityRowLayout.ACCESS_KEY, cell.value()),
            new RowChange(stamp).put(IdentityRowLayout.ACCESS_KEY, told.toByteString()))
        == RowCommitter.Outcome.APPLIED;
  }

  private static StoreException noSuchUser(String name) {
    return new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot find user " + name);
  }

  private static StoreException contended(String name) {
    return new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at user " + name + ": others change it");
  }
}
