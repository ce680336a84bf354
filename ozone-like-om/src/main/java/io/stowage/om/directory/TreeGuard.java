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
package io.stowage.om.directory;

import io.stowage.common.access.Acting;
import io.stowage.common.access.ExtendedAttributes;
import io.stowage.common.access.FileAcls;
import io.stowage.common.access.FilePermissions;
import io.stowage.common.access.Person;
import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.object.ObjectRows;
import io.stowage.om.table.ObjectRowLayout;
import java.io.IOException;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;
import org.apache.hadoop.thirdparty.protobuf.ByteString;
import org.apache.hadoop.thirdparty.protobuf.InvalidProtocolBufferException;

/**
 * What the one for whom an operation is done may do in a bucket's tree, by HDFS's rules. It is
 * asked with the very entries that the operation's own walk has read, so it costs no read of its
 * own, but for lists that are too long for a row's head. Immutable.
 *
 * <p>Two things are told apart: for whom something is done, which says whose what is made is; and
 * whether the permissions of files bound it. They do not where something else has decided already:
 * the caller administers, owns the bucket, or was let in by a policy.
 *
 * <p>A decision holds for the entries as they were read. Who takes a right away while an operation
 * is under way may find that it came before; that is the order in which both are told.
 */
public final class TreeGuard {
  /** Of what the service does of itself. */
  public static final TreeGuard NOBODYS = new TreeGuard(null, null, false, Map.of());

  /** Setting of a bucket that says what is said of its root, which has no row: ObjectMetadata. */
  public static final String ROOT_SETTING = "root";

  /** The root of a bucket is its owner's alone until he says otherwise. */
  private static final FsPermission ROOT = FsPermission.createImmutable((short) 0700);

  private static final FsPermission NEW_FILE = FsPermission.createImmutable((short) 0644);
  private static final FsPermission NEW_DIRECTORY = FsPermission.createImmutable((short) 0755);

  /** Long lists that one operation remembers, of some KiB each: those of the way, and its own. */
  private static final int MOST_LISTS = 64;

  private final BucketInfo bucket;
  private final Acting acting;
  private final boolean limited;
  private final Map<String, Whole> lists; // by row key

  /** An entry with its list, as it was asked for when it had this stamp. */
  private record Whole(long stamp, ObjectMetadata metadata) {}

  private TreeGuard(BucketInfo bucket, Acting acting, boolean limited, Map<String, Whole> lists) {
    this.bucket = bucket;
    this.acting = acting;
    this.limited = limited;
    this.lists = lists;
  }

  /** Of whom this thread works for. */
  public static TreeGuard of(BucketInfo bucket) {
    Acting acting = Acting.current();
    return acting == null
        ? NOBODYS
        : new TreeGuard(
            bucket, acting, acting.isLimitedIn(bucket.getName()), new ConcurrentHashMap<>());
  }

  /** The same for one key of several, about each of which it was decided by itself. */
  public TreeGuard ofKey(String key) {
    return limited && !acting.isLimitedTo(bucket.getName(), key)
        ? new TreeGuard(bucket, acting, false, lists)
        : this;
  }

  /** Whether permissions are asked at all. */
  boolean isLimited() {
    return limited;
  }

  private Person who() {
    return acting.person();
  }

  private String name() {
    return who() == null ? "" : who().name();
  }

  /** What is said of a bucket's root. */
  static ObjectMetadata root(BucketInfo bucket) throws StoreException {
    ByteString said = bucket.getSettingsMap().get(ROOT_SETTING);
    ObjectMetadata root;
    try {
      root = said == null ? ObjectMetadata.getDefaultInstance() : ObjectMetadata.parseFrom(said);
    } catch (InvalidProtocolBufferException e) {
      throw new StoreException(
          ErrorCode.CORRUPT_DATA,
          "Cannot read what is said of the root of bucket " + bucket.getName(),
          e);
    }
    ObjectMetadata owned =
        root.getOwner().isEmpty() ? root.toBuilder().setOwner(bucket.getOwner()).build() : root;
    return owned.getFile().getPermissionPlusOne() == 0
        ? FileAcls.withPermission(owned, ROOT)
        : owned;
  }

  private ObjectMetadata metadataOf(ObjectRows rows, Directories.Step step) throws StoreException {
    return step.entryKey() == null ? root(bucket) : whole(rows, step.entryKey(), step.entry());
  }

  /** Of an entry whose list is not in its row's head, with it. */
  private ObjectMetadata whole(ObjectRows rows, String rowKey, ObjectVersion entry)
      throws StoreException {
    ObjectMetadata metadata = entry.getMetadata();
    if (!metadata.getFile().getHasAcl() || metadata.getAclCount() > 0) {
      return metadata;
    }
    Whole known = lists.get(rowKey);
    if (known != null && known.stamp() == entry.getStamp()) {
      return known.metadata();
    }
    ObjectVersion found = rows.find(ObjectRowLayout.row(bucket.getId(), rowKey), true);
    if (found == null) {
      throw new StoreException(ErrorCode.CONFLICT, "Cannot look at an entry: it is gone");
    }
    if (lists.size() < MOST_LISTS) {
      lists.put(rowKey, new Whole(entry.getStamp(), found.getMetadata()));
    }
    return found.getMetadata();
  }

  private void require(FilePermissions permissions, FsAction wanted) throws StoreException {
    if (!permissions.allow(who(), wanted)) {
      throw denied(permissions.refusal(who(), wanted));
    }
  }

  private static StoreException denied(String why) {
    return new StoreException(ErrorCode.ACCESS_DENIED, why);
  }

  /** That permissions do not bound the one: what they are asked about is what is there now. */
  void requireUnlimited(String what) throws StoreException {
    if (limited) {
      throw denied(
          "Permission denied: user="
              + FilePermissions.nameOf(who())
              + ": "
              + what
              + " are for its owner and whom a policy lets read it");
    }
  }

  /** That the one may do something with a directory. */
  void require(ObjectRows rows, Directories.Step directory, String path, FsAction wanted)
      throws StoreException {
    if (limited) {
      require(of(path, metadataOf(rows, directory), true), wanted);
    }
  }

  /** That the one may do something with a file or directory. */
  void require(ObjectRows rows, String rowKey, ObjectVersion entry, String path, FsAction wanted)
      throws StoreException {
    if (limited) {
      require(of(path, whole(rows, rowKey, entry), entry.getDirectoryId() != 0), wanted);
    }
  }

  /** The same of an entry that was read with all that it says. */
  void requireOf(ObjectMetadata metadata, boolean directory, String path, FsAction wanted)
      throws StoreException {
    if (limited) {
      require(of(path, metadata, directory), wanted);
    }
  }

  /**
   * What is told of an entry to one who looks at it: of a file or directory that he may not read,
   * nothing that tells what is in it, nor its attributes; a digest is as good as a short secret
   * itself. Who may change what it says of itself sees all of that, since he hands it back.
   */
  ObjectVersion shown(ObjectRows rows, String rowKey, ObjectVersion entry, String path)
      throws StoreException {
    if (!limited) {
      return entry;
    }
    boolean directory = entry.getDirectoryId() != 0;
    if (directory && !saysMore(entry.getMetadata())) {
      return entry; // most do not, and their long lists need not be read
    }
    return mayKnow(of(path, whole(rows, rowKey, entry), directory)) ? entry : withoutContent(entry);
  }

  /** The same of what an operation has read: where its list is not with it, nobody is on that. */
  public ObjectVersion told(ObjectVersion entry, String path) {
    if (!limited) {
      return entry;
    }
    ObjectMetadata metadata = entry.getMetadata();
    FilePermissions file = of(path, metadata, entry.getDirectoryId() != 0);
    boolean whole = !metadata.getFile().getHasAcl() || metadata.getAclCount() > 0;
    return isOwner(file) || (whole && mayKnow(file)) ? entry : withoutContent(entry);
  }

  private boolean mayKnow(FilePermissions file) {
    return isOwner(file) || file.allow(who(), FsAction.READ) || file.allow(who(), FsAction.WRITE);
  }

  private static boolean saysMore(ObjectMetadata metadata) {
    return metadata.getXattrsCount() + metadata.getUserCount() + metadata.getTagsCount() > 0;
  }

  private static ObjectVersion withoutContent(ObjectVersion entry) {
    return entry.toBuilder()
        .clearPartLengths()
        .clearPartCount() // with which an ETag ends
        .clearMd5()
        .clearWriteId() // from which some ETags follow
        .clearChecksums()
        .clearPartChecksums()
        .setMetadata(withoutAttributes(entry.getMetadata()))
        .build();
  }

  private static ObjectMetadata withoutAttributes(ObjectMetadata metadata) {
    return metadata.toBuilder().clearXattrs().clearUser().clearTags().build();
  }

  /** The same of the bucket's root. */
  ObjectMetadata shownRoot(ObjectMetadata root) {
    return !limited || mayKnow(of("", root, true)) ? root : withoutAttributes(root);
  }

  /** That the one owns the file, or may write it. */
  void requireOwnerOrWriter(ObjectRows rows, String rowKey, ObjectVersion entry, String path)
      throws StoreException {
    if (limited && !isOwner(of(path, entry.getMetadata(), false))) {
      require(rows, rowKey, entry, path, FsAction.WRITE);
    }
  }

  private FilePermissions of(String path, ObjectMetadata metadata, boolean directory) {
    return FilePermissions.of("/" + path, metadata, directory, bucket.getOwner());
  }

  private boolean isOwner(FilePermissions permissions) {
    return who() != null && who().is(permissions.owner());
  }

  /** Whether the one owns what an entry is of. */
  boolean isOwner(ObjectVersion entry, String path) {
    return isOwner(of(path, entry.getMetadata(), entry.getDirectoryId() != 0));
  }

  /** That the one owns what says this of itself. */
  void requireOwner(ObjectMetadata metadata, String path) throws StoreException {
    if (limited) {
      requireOwner(isOwner(of(path, metadata, false)), path);
    }
  }

  /**
   * That an entry may be taken out of its directory: one that is sticky is a place where everybody
   * takes away his own only.
   */
  void requireRemovable(
      ObjectRows rows, Directories.Step directory, ObjectVersion entry, String path)
      throws StoreException {
    if (!limited) {
      return;
    }
    FilePermissions parent = of(parentOf(path), metadataOf(rows, directory), true);
    FilePermissions own = of(path, entry.getMetadata(), entry.getDirectoryId() != 0);
    if (parent.isSticky() && !isOwner(parent) && !isOwner(own)) {
      throw denied(
          "Permission denied by sticky bit: user="
              + FilePermissions.nameOf(who())
              + ", path=\"/"
              + path
              + "\":"
              + own.owner()
              + ":"
              + own.group()
              + ":"
              + own.bits()
              + ", parent=\"/"
              + parentOf(path)
              + "\":"
              + parent.owner()
              + ":"
              + parent.group()
              + ":"
              + parent.bits());
    }
  }

  /** Tells whoever wants to know how it came out that one key of several was refused. */
  public void noteRefusal(String key, StoreException e) {
    if (acting != null && e.code() == ErrorCode.ACCESS_DENIED) {
      acting.refused(key, e.getMessage());
    }
  }

  private static String parentOf(String path) {
    return path.substring(0, Math.max(0, path.lastIndexOf('/')));
  }

  /**
   * What something that is made says of itself: whose it is, which nobody says of others; its
   * directory's group; and where its maker said nothing, bits and list as its directory has them
   * inherited.
   *
   * @param asked by who makes it
   */
  ObjectMetadata ofNew(
      ObjectRows rows, Directories.Step parent, ObjectMetadata asked, boolean directory)
      throws StoreException {
    if (acting == null) {
      return asked;
    }
    ObjectMetadata in = metadataOf(rows, parent);
    ObjectMetadata.Builder made = asked.toBuilder();
    FileAttributes.Builder file = asked.getFile().toBuilder();
    if (limited) {
      file.clearOwner();
      if (who() == null || !who().is(asked.getOwner())) {
        made.setOwner(name());
      }
      if (who() == null || !who().isIn(file.getGroup())) {
        file.clearGroup();
      }
      requireUntrusted(Map.of(), asked.getXattrsMap());
      requireReadable(asked);
    } else if (made.getOwner().isEmpty()) {
      made.setOwner(name());
    }
    if (file.getGroup().isEmpty()) {
      file.setGroup(in.getFile().getGroup());
    }
    made.setFile(file);
    if (file.getPermissionPlusOne() != 0) {
      return made.build();
    }
    try {
      FsPermission said = directory ? NEW_DIRECTORY : NEW_FILE;
      return FileAcls.inherit(made.build(), in, directory, said);
    } catch (IOException e) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, e.getMessage(), e);
    }
  }

  /** What a directory says of itself after somebody made it again, who owns it or not. */
  ObjectMetadata ofRemade(ObjectVersion there, ObjectMetadata asked) {
    if (acting == null) {
      return asked;
    }
    ObjectMetadata before = there.getMetadata();
    ObjectMetadata.Builder made =
        asked.toBuilder()
            .setFile(before.getFile())
            .setOwner(before.getOwner())
            .clearAcl()
            .addAllAcl(before.getAclList())
            .clearXattrs()
            .putAllXattrs(before.getXattrsMap());
    if (limited && !isOwner(of("", before, true))) { // grants are its owner's to give
      made.clearGrants().addAllGrants(before.getGrantsList());
    }
    return made.build();
  }

  /** That the one may change what something says of itself from one to the other. */
  void requireChange(String path, boolean directory, ObjectMetadata before, ObjectMetadata after)
      throws StoreException {
    if (!limited) {
      return;
    }
    FilePermissions old = of(path, before, directory);
    FilePermissions now = of(path, after, directory);
    boolean owner = isOwner(old);
    if (before.equals(after)) { // it is answered by all that the row says
      if (!owner) {
        require(old, FsAction.WRITE);
      }
      return;
    }
    if (!old.owner().equals(now.owner()) || !before.getOwner().equals(after.getOwner())) {
      throw denied(
          "User "
              + FilePermissions.nameOf(who())
              + " is not a super user (non-super user cannot change owner)");
    }
    if (!old.group().equals(now.group())) {
      requireOwner(owner, path);
      if (!who().isIn(now.group())) {
        throw denied(
            "User " + FilePermissions.nameOf(who()) + " does not belong to " + now.group());
      }
    }
    boolean rights =
        !old.bits().equals(now.bits())
            || before.getFile().getHasAcl() != after.getFile().getHasAcl() // else none is read
            || !before.getAclList().equals(after.getAclList())
            || !before.getGrantsList().equals(after.getGrantsList());
    if (rights) {
      requireOwner(owner, path);
      requireReadable(after);
    }
    requireUntrusted(before.getXattrsMap(), after.getXattrsMap());
    if (!withoutRights(before).equals(withoutRights(after))) {
      require(old, FsAction.WRITE);
    }
  }

  private void requireOwner(boolean owner, String path) throws StoreException {
    if (!owner) {
      throw denied(
          "Permission denied. user="
              + FilePermissions.nameOf(who())
              + " is not the owner of inode=/"
              + path);
    }
  }

  private static void requireReadable(ObjectMetadata metadata) throws StoreException {
    try {
      FileAcls.requireReadable(metadata.getAclList());
    } catch (IllegalArgumentException e) {
      throw new StoreException(ErrorCode.INVALID_ARGUMENT, "Invalid ACL: " + e.getMessage(), e);
    }
  }

  /** Extended attributes outside of "user." are those of administrators. */
  private static void requireUntrusted(
      Map<String, ByteString> before, Map<String, ByteString> after) throws StoreException {
    String trusted = ExtendedAttributes.trustedChange(before, after);
    if (trusted != null) {
      throw denied("Permission denied: only a super user sets " + trusted);
    }
  }

  private static ObjectMetadata withoutRights(ObjectMetadata metadata) {
    return metadata.toBuilder()
        .clearAcl()
        .clearGrants()
        .setFile(
            metadata.getFile().toBuilder()
                .clearGroup()
                .clearOwner()
                .clearPermissionPlusOne()
                .clearHasAcl())
        .build();
  }
}
