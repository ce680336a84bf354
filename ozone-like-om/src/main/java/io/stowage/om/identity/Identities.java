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
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.CreateUserRequest;
import io.stowage.common.proto.Entity;
import io.stowage.common.proto.EntityKind;
import io.stowage.common.proto.GetIdentityRequest;
import io.stowage.common.proto.Identity;
import io.stowage.common.proto.IdentityRecord;
import io.stowage.common.proto.ListUsersReply;
import io.stowage.common.proto.ListUsersRequest;
import io.stowage.common.proto.UpdateUserRequest;
import io.stowage.common.proto.User;
import io.stowage.common.secret.AccessKeyIds;
import io.stowage.common.secret.SecretSeal;
import io.stowage.om.identity.UserRows.SeenUser;
import io.stowage.om.row.RowCommitter;
import io.stowage.om.row.Stamps;
import io.stowage.om.table.Cell;
import io.stowage.om.table.Check;
import io.stowage.om.table.IdentityRowLayout;
import io.stowage.om.table.ObjectRowLayout;
import io.stowage.om.table.Row;
import io.stowage.om.table.RowChange;
import java.security.SecureRandom;
import java.util.ArrayList;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * Users and access keys, for the gateways. Thread-safe.
 *
 * <p>A user's row is the truth; a key's row names the user and counts only while that user's row
 * lists the key. Adding writes (1) the key's row, (2) the user's; removing writes (1) the user's
 * row, (2) the key's. Whatever a crash leaves in between is a key's row that no user lists, and
 * such a key is refused. Who adds it again writes it anew; so all of it may be repeated.
 *
 * <p>Another name is given by {@link UserRenames}.
 *
 * <p>Rows are never deleted, only marked removed: a deleted cell would hide one that is written
 * later with a stamp of a clock behind.
 */
public final class Identities {
  private static final int MOST_ATTEMPTS = 100;
  private static final int MOST_LISTED = 1_000;
  private static final int CANONICAL_ID_BYTES = 32;

  /** AWS gives two; more are of use while keys are being exchanged. */
  private static final int MOST_KEYS = 10;

  private static final int MOST_POLICY_BYTES = 64 << 10;

  private final RowCommitter rows;
  private final Stamps stamps;
  private final Entities entities;
  private final UserRows users;
  private final UserRenames renames;
  private final SecureRandom random = new SecureRandom();
  private volatile SecretSeal seal = SecretSeal.NONE;

  public Identities(RowCommitter rows, Stamps stamps, Entities entities) {
    this.rows = rows;
    this.stamps = stamps;
    this.entities = entities;
    this.users = new UserRows(rows, stamps);
    this.renames = new UserRenames(rows, stamps, users);
  }

  /** From now on secrets are stored so; before the first request. */
  public void sealWith(SecretSeal how) {
    seal = how;
  }

  /** What a request asks for: a key's, a user's or a role's. ACCESS_DENIED if there is none. */
  public Identity get(GetIdentityRequest request) throws StoreException {
    if (!request.getRoleName().isEmpty()) {
      return ofRole(request.getRoleName());
    }
    if (!request.getUserName().isEmpty()) {
      SeenUser seen = renames.follow(request.getUserName());
      if (!seen.exists()) {
        throw new StoreException(
            ErrorCode.ACCESS_DENIED, "Cannot find user " + request.getUserName());
      }
      return ofUser(Identity.newBuilder(), seen.user()).build();
    }
    return get(request.getAccessKey());
  }

  private Identity ofRole(String name) throws StoreException {
    Entity role = entities.find(EntityKind.ROLE, name);
    if (role == null) {
      throw new StoreException(ErrorCode.ACCESS_DENIED, "Cannot find role " + name);
    }
    return Identity.newBuilder()
        .setRoleName(name)
        .setUser(role.getCanonicalId())
        .setUserId(role.getId())
        .setPath(role.getPath())
        .putAllPolicies(role.getPoliciesMap())
        .putAllTags(role.getTagsMap())
        .build();
  }

  private Identity.Builder ofUser(Identity.Builder identity, User user) throws StoreException {
    identity
        .setUserName(user.getName())
        .setUser(user.getCanonicalId())
        .setUserId(user.getId())
        .setPath(user.getPath())
        .setAdmin(user.getAdmin())
        .putAllTags(user.getTagsMap())
        .putAllPolicies(user.getPoliciesMap());
    for (Map.Entry<String, String> said : user.getGroupsMap().entrySet()) {
      Entity group = entities.find(EntityKind.GROUP, said.getKey(), said.getValue());
      if (group != null) {
        group
            .getPoliciesMap()
            .forEach(
                (name, json) ->
                    identity.putPolicies("group/" + group.getName() + "/" + name, json));
      }
    }
    return identity;
  }

  /** What an access key stands for, with its secret; ACCESS_DENIED if it stands for nothing. */
  private Identity get(String accessKey) throws StoreException {
    Cell cell = accessKey.isEmpty() ? null : key(accessKey);
    while (true) {
      IdentityRecord record = cell == null ? null : record(accessKey, cell);
      if (record == null || record.getRemoved()) {
        throw noSuchKey(accessKey);
      }
      Identity.Builder identity =
          record.getIdentity().toBuilder()
              .setAccessKey(accessKey)
              .setSecretKey(seal.open(accessKey, record.getSecretCipher(), record.getSecret()));
      if (identity.getUserName().isEmpty()) {
        return identity.build();
      }
      SeenUser seen = renames.follow(identity.getUserName());
      if (seen.exists() && seen.record().getUser().getAccessKeysList().contains(accessKey)) {
        if (seen.record().getUser().getInactiveKeysList().contains(accessKey)) {
          throw noSuchKey(accessKey);
        }
        return ofUser(identity, seen.user()).build();
      }
      // A user that was renamed twice meanwhile has told its keys; if back, what they said before.
      Cell now = key(accessKey);
      if (now == null || now.stamp() == cell.stamp()) {
        throw noSuchKey(accessKey);
      }
      cell = now;
    }
  }

  String secretOf(String accessKey, IdentityRecord record) throws StoreException {
    return seal.open(accessKey, record.getSecretCipher(), record.getSecret());
  }

  /** Creates an access key that stands for itself, or gives it another secret. */
  public void put(Identity identity) throws StoreException {
    writeKey(identity.toBuilder().clearUserName().clearPolicies().build());
  }

  private void writeKey(Identity identity) throws StoreException {
    if (!AccessKeyIds.isWellFormed(identity.getAccessKey()) || identity.getSecretKey().isEmpty()) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot store an identity without access key and secret: an access key is 1 to 128"
              + " visible ASCII characters");
    }
    writeKey(identity.getAccessKey(), recordOf(identity).build());
  }

  IdentityRecord.Builder recordOf(Identity identity) {
    return IdentityRecord.newBuilder()
        .setFormat(IdentityRowLayout.FORMAT)
        .setIdentity(identity.toBuilder().clearAccessKey().clearSecretKey())
        .setSecret(seal.seal(identity.getAccessKey(), identity.getSecretKey()))
        .setSecretCipher(seal.cipher());
  }

  /** Writes a key's row if it still is as it was read; false if it is not. */
  boolean replaceKey(String accessKey, Cell before, IdentityRecord record) throws StoreException {
    ByteString next = record.toByteString();
    RowCommitter.Outcome outcome =
        rows.commit(
            IdentityRowLayout.row(accessKey),
            Check.of(IdentityRowLayout.ACCESS_KEY, before == null ? null : before.value()),
            new RowChange(stamps.above(before == null ? 0 : before.stamp()))
                .put(IdentityRowLayout.ACCESS_KEY, next));
    if (outcome == RowCommitter.Outcome.UNKNOWN) {
      Cell now = key(accessKey);
      if (now == null || !now.value().equals(next)) {
        throw new OutcomeUnknownException(
            "Cannot tell whether access key " + accessKey + " was written", null);
      }
      return true;
    }
    return outcome == RowCommitter.Outcome.APPLIED;
  }

  /**
   * Refuses a name under which somebody stands who owns as somebody else: made or renamed so by an
   * administrator, who is not to have made two people one.
   */
  void requireOwnName(String name) throws StoreException {
    requireOwnName(renames.read(name));
  }

  private static void requireOwnName(SeenUser seen) throws StoreException {
    if (seen.exists() && !seen.record().getUser().getCanonicalId().equals(seen.name())) {
      throw new StoreException(
          ErrorCode.KEY_EXISTS,
          "Cannot get a secret for "
              + seen.name()
              + ": the S3 user of that name owns as "
              + seen.record().getUser().getCanonicalId()
              + "; an administrator can give it keys");
    }
  }

  /** Has a user, who is created if there is none, list a key whose row is there. */
  void listKey(String name, String accessKey, ByteString writeId) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser seen = renames.readToReplace(name);
      requireOwnName(seen);
      User.Builder user =
          seen.exists()
              ? seen.record().getUser().toBuilder()
              : User.newBuilder()
                  .setCanonicalId(name) // as buckets that he makes over RPC say
                  .setId(newUserId())
                  .setPath("/")
                  .setCreatedMicros(stamps.now());
      if (user.getAccessKeysList().contains(accessKey)) {
        return;
      }
      if (user.getAccessKeysCount() >= MOST_KEYS) {
        throw new StoreException(
            ErrorCode.TOO_LARGE,
            "Cannot give user " + name + " more than " + MOST_KEYS + " access keys");
      }
      user.addAccessKeys(accessKey);
      ByteString createdBy = seen.exists() ? seen.record().getCreatedBy() : writeId;
      if (users.commit(seen, user.build(), createdBy, false)) {
        return;
      }
      rows.pause().backOff(attempt);
    }
    throw contended(name);
  }

  void pause(int attempt) throws StoreException {
    rows.pause().backOff(attempt);
  }

  private void writeKey(String accessKey, IdentityRecord record) throws StoreException {
    Cell before = key(accessKey);
    rows.write(
        IdentityRowLayout.row(accessKey),
        new RowChange(stamps.above(before == null ? 0 : before.stamp()))
            .put(IdentityRowLayout.ACCESS_KEY, record.toByteString()));
  }

  /** Creates a user with a first key; the same request again finds it. */
  public User create(CreateUserRequest request) throws StoreException {
    User asked = request.getUser();
    checkName(asked.getName());
    checkPolicies(asked);
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser seen = renames.readToReplace(asked.getName());
      if (seen.exists()) {
        if (seen.record().getCreatedBy().equals(request.getWriteId())) {
          return seen.user();
        }
        throw new StoreException(
            ErrorCode.KEY_EXISTS, "Cannot create user " + asked.getName() + ": there is one");
      }
      User.Builder user =
          asked.toBuilder()
              .setCanonicalId(
                  asked.getCanonicalId().isEmpty() ? newCanonicalId() : asked.getCanonicalId())
              .clearAccessKeys()
              .setId(asked.getId().isEmpty() ? newUserId() : asked.getId())
              .setPath(asked.getPath().isEmpty() ? "/" : asked.getPath())
              .setCreatedMicros(stamps.now());
      if (!request.getAccessKey().isEmpty()) {
        requireFreeKey(request.getAccessKey(), asked.getName());
        user.addAccessKeys(request.getAccessKey());
        writeKey(keyOf(user.getName(), request.getAccessKey(), request.getSecretKey()));
      }
      if (users.commit(seen, user.build(), request.getWriteId(), false)) {
        return user.build();
      }
      rows.pause().backOff(attempt);
    }
    throw contended(asked.getName());
  }

  public User update(UpdateUserRequest request) throws StoreException {
    if (!request.getNewName().isEmpty() && !request.getNewName().equals(request.getName())) {
      checkName(request.getNewName());
      return renames.rename(request.getName(), request.getNewName(), request.getPath());
    }
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser seen = renames.require(request.getName());
      requireGroups(seen.record().getUser(), request);
      List<String> keys = new ArrayList<>(seen.record().getUser().getAccessKeysList());
      keys.removeAll(request.getRemoveKeysList());
      for (Identity added : request.getAddKeysList()) {
        if (!keys.contains(added.getAccessKey())) {
          requireFreeKey(added.getAccessKey(), request.getName());
          keys.add(added.getAccessKey());
        }
        writeKey(keyOf(request.getName(), added.getAccessKey(), added.getSecretKey()));
      }
      int mostKeys =
          request.getMostKeys() == 0 ? MOST_KEYS : Math.min(MOST_KEYS, request.getMostKeys());
      if (keys.size() > mostKeys && request.getAddKeysCount() > 0) {
        throw new StoreException(
            ErrorCode.TOO_LARGE,
            "Cannot give user " + request.getName() + " more than " + mostKeys + " access keys");
      }
      User.Builder user =
          seen.record().getUser().toBuilder().clearAccessKeys().addAllAccessKeys(keys);
      request.getRemovePoliciesList().forEach(user::removePolicies);
      user.putAllPolicies(request.getPutPoliciesMap());
      request.getRemoveGroupsList().forEach(user::removeGroups);
      user.putAllGroups(request.getPutGroupsMap());
      request.getRemoveTagsList().forEach(user::removeTags);
      user.putAllTags(request.getPutTagsMap());
      Set<String> inactive = new TreeSet<>(user.getInactiveKeysList());
      inactive.addAll(request.getDeactivateKeysList());
      inactive.removeAll(request.getActivateKeysList());
      inactive.retainAll(keys);
      user.clearInactiveKeys().addAllInactiveKeys(inactive);
      if (!request.getPath().isEmpty()) {
        user.setPath(request.getPath());
      }
      user.setName(request.getName());
      checkPolicies(user.build());
      if (users.commit(seen, user.build(), seen.record().getCreatedBy(), false)) {
        for (String removed : request.getRemoveKeysList()) {
          if (seen.record().getUser().getAccessKeysList().contains(removed)) {
            markRemoved(removed);
          }
        }
        return user.build();
      }
      rows.pause().backOff(attempt);
    }
    throw contended(request.getName());
  }

  private static void requireGroups(User user, UpdateUserRequest request) throws StoreException {
    for (Map.Entry<String, String> asked : request.getOnlyIfGroupsMap().entrySet()) {
      if (!user.getGroupsOrDefault(asked.getKey(), "").equals(asked.getValue())) {
        throw new StoreException(
            ErrorCode.PRECONDITION_FAILED,
            "Cannot change user " + request.getName() + ": is in other groups by now");
      }
    }
  }

  /** Removes a user and all keys. What the user owns stays. */
  public void delete(String name) throws StoreException {
    for (int attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
      SeenUser seen = renames.require(name);
      if (users.commit(seen, seen.user(), seen.record().getCreatedBy(), true)) {
        for (String key : seen.record().getUser().getAccessKeysList()) {
          markRemoved(key);
        }
        return;
      }
      rows.pause().backOff(attempt);
    }
    throw contended(name);
  }

  public ListUsersReply list(ListUsersRequest request) throws StoreException {
    int limit = request.getLimit() == 0 ? MOST_LISTED : Math.min(MOST_LISTED, request.getLimit());
    ListUsersReply.Builder reply = ListUsersReply.newBuilder();
    if (!request.getOnly().isEmpty()) {
      SeenUser seen = renames.read(request.getOnly());
      return seen.exists() ? reply.addUsers(seen.user()).build() : reply.build();
    }
    ByteString from =
        request.getAfter().isEmpty()
            ? IdentityRowLayout.USERS
            : ObjectRowLayout.behind(IdentityRowLayout.user(request.getAfter()));
    while (true) {
      List<Row> page =
          rows.scan(
              from,
              IdentityRowLayout.BEHIND_USERS,
              'i',
              IdentityRowLayout.USER.qualifier(),
              MOST_LISTED);
      for (Row row : page) {
        from = ObjectRowLayout.behind(row.key());
        SeenUser seen = renames.settled(SeenUser.of(row.key().toStringUtf8().substring(1), row));
        if (!seen.exists()) {
          continue;
        }
        if (reply.getUsersCount() == limit) {
          return reply.setMore(true).build();
        }
        reply.addUsers(seen.user());
      }
      if (page.size() < MOST_LISTED) {
        return reply.build();
      }
    }
  }

  Identity keyOf(String user, String accessKey, String secret) {
    return Identity.newBuilder()
        .setCreatedMicros(stamps.now())
        .setAccessKey(accessKey)
        .setSecretKey(secret)
        .setUserName(user)
        .build();
  }

  private void markRemoved(String accessKey) throws StoreException {
    writeKey(
        accessKey,
        IdentityRecord.newBuilder().setFormat(IdentityRowLayout.FORMAT).setRemoved(true).build());
  }

  /** Refuses a key that another user, or none, has already. */
  void requireFreeKey(String accessKey, String user) throws StoreException {
    Cell cell = key(accessKey);
    if (cell == null) {
      return;
    }
    IdentityRecord record = record(accessKey, cell);
    String owner = record.getIdentity().getUserName();
    if (record.getRemoved() || owner.equals(user)) {
      return;
    }
    boolean orphan = !owner.isEmpty() && !listsKey(owner, accessKey);
    if (!orphan) {
      throw new StoreException(
          ErrorCode.KEY_EXISTS, "Cannot use access key " + accessKey + ": somebody has it");
    }
  }

  boolean listsKey(String user, String accessKey) throws StoreException {
    SeenUser seen = renames.follow(user);
    return seen.exists() && seen.record().getUser().getAccessKeysList().contains(accessKey);
  }

  private String newCanonicalId() {
    byte[] id = new byte[CANONICAL_ID_BYTES];
    random.nextBytes(id);
    return HexFormat.of().formatHex(id);
  }

  /** As AWS forms them: a prefix that says what it is, and base 32. */
  private String newUserId() {
    StringBuilder id = new StringBuilder("AIDA");
    for (int i = 0; i < 17; i++) {
      id.append("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".charAt(random.nextInt(32)));
    }
    return id.toString();
  }

  static void checkName(String name) throws StoreException {
    if (name.isEmpty() || name.length() > 64 || !name.matches("[\\w+=,.@-]+")) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot use the user name \"" + name + "\": 1 to 64 letters, digits or _+=,.@-");
    }
  }

  private static void checkPolicies(User user) throws StoreException {
    if (user.getSerializedSize() > MOST_POLICY_BYTES) {
      throw new StoreException(
          ErrorCode.INVALID_ARGUMENT,
          "Cannot keep more than " + MOST_POLICY_BYTES + " bytes of policies a user");
    }
  }

  static IdentityRecord record(String accessKey, Cell cell) throws StoreException {
    try {
      IdentityRecord record = IdentityRecord.parseFrom(cell.value());
      if (record.getFormat() > IdentityRowLayout.FORMAT) {
        throw new StoreException(
            ErrorCode.FORMAT_TOO_NEW,
            "Cannot read access key " + accessKey + ": format " + record.getFormat());
      }
      return record;
    } catch (InvalidProtocolBufferException e) {
      throw new CorruptDataException("Cannot read access key " + accessKey);
    }
  }

  Cell key(String accessKey) throws StoreException {
    return rows.get(IdentityRowLayout.row(accessKey), List.of(IdentityRowLayout.ACCESS_KEY))
        .cell(IdentityRowLayout.ACCESS_KEY);
  }

  private static StoreException noSuchKey(String accessKey) {
    return new StoreException(ErrorCode.ACCESS_DENIED, "Cannot find access key " + accessKey);
  }

  static StoreException contended(String name) {
    return new StoreException(
        ErrorCode.CONFLICT, "Cannot get a turn at user " + name + ": others change it");
  }
}
