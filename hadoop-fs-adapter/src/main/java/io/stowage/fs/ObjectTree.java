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

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.id.WriteId;
import io.stowage.common.om.ObjectManager;
import io.stowage.common.proto.BucketInfo;
import io.stowage.common.proto.BucketLayout;
import io.stowage.common.proto.Condition;
import io.stowage.common.proto.DeleteDirectoryRequest;
import io.stowage.common.proto.DeleteObjectsRequest;
import io.stowage.common.proto.DeletedObject;
import io.stowage.common.proto.FindPathReply;
import io.stowage.common.proto.FindPathRequest;
import io.stowage.common.proto.GetObjectReply;
import io.stowage.common.proto.GetObjectRequest;
import io.stowage.common.proto.ListObjectsReply;
import io.stowage.common.proto.ListObjectsRequest;
import io.stowage.common.proto.Manifest;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectToDelete;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.common.proto.PutObjectRequest;
import io.stowage.common.proto.RenameObjectRequest;
import io.stowage.common.proto.RenamePrefixRequest;
import io.stowage.common.proto.SetObjectMetadataRequest;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * The tree of directories that the keys of one bucket imply, by the rules that users of S3A know:
 * {@code a/b} is a file, and the directory {@code a} is there if the marker {@code a/} (an object
 * of 0 bytes) or any key below it is. A directory is named by its key without the last slash, the
 * root by "".
 *
 * <p>A directory must not vanish when its last child does. So before a child goes, the marker of
 * its parent is put if it is not there yet ({@link #keepIfThere}). S3A does that afterwards, which
 * a crash in between turns into a lost directory, and removes markers when files are created, which
 * races with whoever deletes these files; here markers stay. The price is one look-up a delete or
 * rename, and one object of 0 bytes a directory.
 *
 * <p>Nothing here is atomic over several keys: a file and a directory of one name can be made by
 * two clients at once, and are both listed then; the file is what its name finds. Thread-safe.
 */
final class ObjectTree {
  private static final String SLASH = "/";
  private static final int PAGE = 1_000;

  /**
   * Repetitions of a directory's rename whose reply was lost. Each call goes on where the one
   * before was, under the same write id, so a directory of many keys may take several deadlines.
   */
  private static final int RENAME_ATTEMPTS = 10;

  /** Changes of what is said of one object, when others change it at the same time. */
  private static final int CHANGE_ATTEMPTS = 20;

  private static final ByteString MD5_OF_NOTHING = md5OfNothing();

  private final KnownDirectories directories = new KnownDirectories();
  private final ObjectManager objectManager;
  private final String bucket;
  private final boolean fileSystem;
  private final String snapshot; // empty: as it is

  /**
   * A file or a directory.
   *
   * @param key of a directory: without the last slash
   * @param object the file's version, or that of the directory's marker; null: there is no marker
   */
  record Entry(String key, boolean isDirectory, ObjectVersion object) {
    static Entry ofFile(ObjectVersion version) {
      return new Entry(version.getKey(), false, version);
    }

    static Entry ofDirectory(String key, ObjectVersion markerOrNull) {
      return new Entry(key, true, markerOrNull);
    }

    /** One that was just made, as it was asked for. */
    static Entry ofMade(String key, ObjectMetadata metadata) {
      return ofDirectory(key, ObjectVersion.newBuilder().setMetadata(metadata).build());
    }

    /** The same under another key. */
    Entry at(String other) {
      return new Entry(other, isDirectory, object);
    }

    /** What is said of it, as far as a row's head says it; nothing where there is no marker. */
    ObjectMetadata metadata() {
      return object == null ? ObjectMetadata.getDefaultInstance() : object.getMetadata();
    }

    /** 0 if nothing says. */
    long modifiedMicros() {
      return object == null ? 0 : object.getModifiedMicros();
    }
  }

  /**
   * What has a name.
   *
   * @param entry if there is anything
   * @param inMadeDirectory in a bucket of layout FILE_SYSTEM, the directory above is there, and
   *     goes only when somebody removes it; false also where an object manager does not say
   */
  record Look(Optional<Entry> entry, boolean inMadeDirectory) {}

  /**
   * Children of a directory, some of them.
   *
   * @param exists false if this is the first page and shows no sign of the directory
   * @param last where the next page begins; null: there is none
   */
  record Page(List<Entry> children, boolean exists, String last) {}

  ObjectTree(ObjectManager objectManager, BucketInfo bucket) {
    this(objectManager, bucket, "");
  }

  /** The tree as a snapshot shows it; only to be looked at. */
  ObjectTree(ObjectManager objectManager, BucketInfo bucket, String snapshot) {
    this.objectManager = objectManager;
    this.bucket = bucket.getName();
    this.fileSystem = bucket.getLayout() == BucketLayout.FILE_SYSTEM;
    this.snapshot = snapshot;
  }

  /** What has this name, if anything, by one call. */
  Optional<Entry> find(String key) throws StoreException {
    return look(key).entry();
  }

  /** The same, with a look at the directory above. */
  Look look(String key) throws StoreException {
    if (fileSystem) {
      return look(key, 0, false);
    }
    if (key.isEmpty()) {
      return new Look(Optional.of(Entry.ofDirectory("", null)), false);
    }
    return look(key, 0, true); // a head that is short of room does not say who put the object
  }

  /**
   * The same.
   *
   * @param wanted in a bucket of layout FILE_SYSTEM, bits of what the caller means to do;
   *     ACCESS_DENIED if he may not
   * @param all with all that it says of itself
   */
  private Optional<Entry> findPath(String key, int wanted, boolean all) throws StoreException {
    return look(key, wanted, all).entry();
  }

  private Look look(String key, int wanted, boolean all) throws StoreException {
    try {
      FindPathReply found =
          objectManager.findPath(
              FindPathRequest.newBuilder()
                  .setBucket(bucket)
                  .setPath(key)
                  .setSnapshot(snapshot)
                  .setWanted(wanted)
                  .setWantAll(all)
                  .setWantAbsence(true)
                  .build());
      Entry entry =
          found.getDirectory()
              ? Entry.ofDirectory(key, found.hasVersion() ? found.getVersion() : null)
              : Entry.ofFile(found.getVersion());
      return new Look(
          found.getAbsent() ? Optional.empty() : Optional.of(entry), found.getInMadeDirectory());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return new Look(Optional.empty(), false);
      }
      throw e;
    }
  }

  /** Asks whether the caller may do something; ACCESS_DENIED if not, false if nothing is there. */
  boolean access(String key, int wanted) throws StoreException {
    return findPath(key, wanted, false).isPresent();
  }

  private Optional<ObjectVersion> findObject(String key) throws StoreException {
    try {
      return Optional.of(
          objectManager
              .getObject(
                  GetObjectRequest.newBuilder()
                      .setBucket(bucket)
                      .setKey(key)
                      .setSnapshot(snapshot)
                      .build())
              .getVersion());
    } catch (StoreException e) {
      if (e.code() == ErrorCode.NO_SUCH_KEY) {
        return Optional.empty();
      }
      throw e;
    }
  }

  private Optional<Entry> findDirectory(String key) throws StoreException {
    ListObjectsReply first = list(key + SLASH, "", "", 1);
    if (first.getObjectsCount() == 0) {
      return Optional.empty();
    }
    ObjectVersion object = first.getObjects(0);
    boolean marker = object.getKey().equals(key + SLASH); // sorts before all that is below
    return Optional.of(Entry.ofDirectory(key, marker ? object : null));
  }

  /** A file's version with its manifest, or NO_SUCH_KEY. */
  GetObjectReply open(String key) throws StoreException {
    return objectManager.getObject(
        GetObjectRequest.newBuilder()
            .setBucket(bucket)
            .setKey(key)
            .setSnapshot(snapshot)
            .setWantManifest(true)
            .build());
  }

  /**
   * Where the bytes of a version are now; PRECONDITION_FAILED if it was replaced, NO_SUCH_KEY if it
   * is gone.
   */
  GetObjectReply reopen(ObjectVersion version) throws StoreException {
    return objectManager.getObject(
        GetObjectRequest.newBuilder()
            .setBucket(bucket)
            .setKey(version.getKey())
            .setSnapshot(snapshot)
            .setWantManifest(true)
            .setPinnedStamp(version.getStamp())
            .setPinnedWriteId(version.getWriteId())
            .build());
  }

  /**
   * Lists children, from the first on ({@code after} is null) or behind the last of an earlier
   * page.
   */
  Page children(String key, String after) throws StoreException {
    String prefix = key.isEmpty() ? "" : key + SLASH;
    ListObjectsReply reply = list(prefix, SLASH, after == null ? "" : after, PAGE);
    List<Entry> children = new ArrayList<>();
    for (ObjectVersion object : reply.getObjectsList()) {
      if (isName(prefix, object.getKey().substring(prefix.length()))) {
        children.add(Entry.ofFile(object));
      }
    }
    Map<String, ObjectVersion> markers = new HashMap<>();
    reply.getMarkersList().forEach(marker -> markers.put(marker.getKey(), marker));
    for (String common : reply.getCommonPrefixesList()) {
      String child = common.substring(0, common.length() - 1);
      if (isName(prefix, child.substring(prefix.length()))) {
        children.add(Entry.ofDirectory(child, markers.get(common)));
      }
    }
    boolean exists =
        key.isEmpty() || reply.getObjectsCount() > 0 || reply.getCommonPrefixesCount() > 0;
    return new Page(children, exists, reply.getMore() ? reply.getLast() : null);
  }

  /**
   * False for the marker itself and for what S3 allows and a Hadoop path cannot say: "a//b",
   * "a/./b"; and for keys of S3 that a bucket's snapshots hide.
   */
  private boolean isName(String prefix, String name) {
    boolean hidden = prefix.isEmpty() && snapshot.isEmpty() && name.equals(SnapshotPath.ROOT);
    return !hidden && !name.isEmpty() && !name.equals(".") && !name.equals("..");
  }

  /** Whether nothing but its marker says that a directory is there. */
  boolean isEmpty(String key) throws StoreException {
    String prefix = key.isEmpty() ? "" : key + SLASH;
    ListObjectsReply reply = list(prefix, SLASH, "", 2); // nothing below is looked into
    return reply.getCommonPrefixesCount() == 0
        && reply.getObjectsList().stream().allMatch(object -> object.getKey().equals(prefix));
  }

  /** The nearest ancestor that is there: a directory as it should be, or a file in the way. */
  Entry nearestAncestor(String key) throws StoreException {
    Entry known = directories.get(parentOf(key));
    if (known != null) {
      return known;
    }
    for (String ancestor = parentOf(key); ; ancestor = parentOf(ancestor)) {
      Optional<Entry> entry = find(ancestor); // the root always is
      if (entry.isPresent()) {
        if (entry.get().isDirectory() && ancestor.equals(parentOf(key))) {
          directories.put(entry.get());
        }
        return entry.get();
      }
    }
  }

  /**
   * Makes sure that a directory that is there has its marker; false if it is not: then whoever
   * removed it, with all that is above it maybe, is not to find it again. In a bucket of layout
   * OBJECT one who removes it between our look and our marker still does.
   */
  private boolean keepIfThere(String key) throws StoreException {
    if (key.isEmpty()) {
      return true;
    }
    for (int attempt = 1; ; attempt++) {
      Optional<Entry> there = fileSystem ? findPath(key, 0, true) : findDirectory(key);
      if (there.isEmpty() || !there.get().isDirectory()) {
        return false;
      }
      ObjectVersion marker = there.get().object();
      if (marker != null && !marker.getImplied()) {
        return true;
      }
      if (marker == null) {
        mark(key, ObjectMetadata.getDefaultInstance());
        return true;
      }
      try {
        // Of the very entry that was seen: a put would make its way there anew.
        objectManager.setObjectMetadata(
            SetObjectMetadataRequest.newBuilder()
                .setBucket(bucket)
                .setKey(key + SLASH)
                .setStamp(marker.getStamp())
                .setMetadata(marker.getMetadata())
                .build());
        return true;
      } catch (StoreException e) {
        boolean again =
            switch (e.code()) {
              case CONFLICT, NO_SUCH_KEY, OUTCOME_UNKNOWN -> true; // the next look tells
              default -> false;
            };
        if (!again || attempt == CHANGE_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /** Puts a directory's marker; false if one is there, which stays as it is. */
  boolean mark(String key, ObjectMetadata metadata) throws StoreException {
    try {
      objectManager.putObject(
          PutObjectRequest.newBuilder()
              .setBucket(bucket)
              .setKey(key + SLASH)
              .setWriteId(WriteId.random())
              .setMd5(MD5_OF_NOTHING)
              .setMetadata(
                  metadata.toBuilder().putHeaders("content-type", "application/x-directory"))
              .setManifest(Manifest.getDefaultInstance())
              .setCondition(Condition.newBuilder().setMustBeAbsent(true))
              .build());
      return true;
    } catch (StoreException e) {
      if (!isRefused(e, ErrorCode.PRECONDITION_FAILED)) {
        throw e;
      }
      return false;
    }
  }

  /**
   * Whether a mutation was refused so, be it at a repetition, of which it is not known whether an
   * earlier sending was done. For refusals that say of what is there all that the caller asks.
   */
  private static boolean isRefused(StoreException e, ErrorCode code) {
    return e.code() == code
        || (e instanceof OutcomeUnknownException
            && e.getCause() instanceof StoreException refusal
            && refusal.code() == code);
  }

  /**
   * All that is said of a file or directory, which is there.
   *
   * @param wanted in a bucket of layout FILE_SYSTEM, bits of what the caller has to be allowed;
   *     ACCESS_DENIED if he is not
   */
  ObjectMetadata metadata(Entry entry, int wanted) throws StoreException {
    return look(entry, wanted)
        .map(ObjectVersion::getMetadata)
        .orElse(ObjectMetadata.getDefaultInstance());
  }

  /** The object that says what is said of a file or directory; nothing if there is none. */
  private Optional<ObjectVersion> look(Entry entry, int wanted) throws StoreException {
    if (!fileSystem) {
      return findObject(objectKey(entry));
    }
    return findPath(entry.key(), wanted, true)
        .filter(found -> found.isDirectory() == entry.isDirectory())
        .map(Entry::object);
  }

  /** Key of the object that says what is said of a file or directory. */
  private static String objectKey(Entry entry) {
    return entry.isDirectory() && !entry.key().isEmpty() ? entry.key() + SLASH : entry.key();
  }

  /**
   * Changes what is said of a file or directory, from what is said then. A change that is made is
   * made once; one that leaves all as it is writes nothing.
   */
  <E extends Exception> void change(Entry entry, MetadataChange<E> change)
      throws StoreException, E {
    directories.clear();
    String key = objectKey(entry);
    for (int attempt = 1; ; attempt++) {
      Optional<ObjectVersion> seen = look(entry, 0);
      if (seen.isEmpty() && (fileSystem || !entry.isDirectory())) {
        throw new StoreException(ErrorCode.NO_SUCH_KEY, "Cannot change " + key + ": it is gone");
      }
      ObjectMetadata before =
          seen.map(ObjectVersion::getMetadata).orElse(ObjectMetadata.getDefaultInstance());
      ObjectMetadata after = change.of(before);
      if (after.equals(before)) {
        return;
      }
      try {
        if (seen.isEmpty()) {
          if (mark(entry.key(), after)) {
            return;
          }
        } else {
          objectManager.setObjectMetadata(
              SetObjectMetadataRequest.newBuilder()
                  .setBucket(bucket)
                  .setKey(key)
                  .setStamp(seen.get().getStamp())
                  .setMetadata(after)
                  .build());
          return;
        }
      } catch (StoreException e) {
        // Of a change whose answer was lost the next look tells whether it is still to be made.
        boolean again = e.code() == ErrorCode.CONFLICT || e.code() == ErrorCode.OUTCOME_UNKNOWN;
        if (!again || attempt == CHANGE_ATTEMPTS) {
          throw e;
        }
      }
    }
  }

  /** From what is said of a file or directory to what is to be said. */
  interface MetadataChange<E extends Exception> {
    ObjectMetadata of(ObjectMetadata before) throws E;
  }

  /**
   * Deletes files, in one call for all of one page. Directories stay.
   *
   * @return those that could not be deleted, with the reason: directories that are not empty, and
   *     what the caller may not reach, too, while what was not there counts as deleted
   */
  Map<String, String> deleteFiles(List<String> keys) throws StoreException {
    Set<String> absent = new HashSet<>(); // directories in which nothing can be
    Map<String, String> closed = new HashMap<>(); // directories that may not be looked at
    for (String parent : keys.stream().map(ObjectTree::parentOf).distinct().toList()) {
      try {
        if (!keepIfThere(parent)) {
          absent.add(parent);
        }
      } catch (StoreException e) {
        closed.put(parent, denial(e));
      }
    }
    Map<String, String> failed = new LinkedHashMap<>();
    List<String> open = new ArrayList<>();
    for (String key : keys) {
      String why = closed.get(parentOf(key));
      if (why == null) {
        open.add(key);
      } else {
        failed.put(key, why);
      }
    }
    for (int from = 0; from < open.size(); from += PAGE) {
      for (DeletedObject deleted :
          deleted(open.subList(from, Math.min(open.size(), from + PAGE)))) {
        if (deleted.getErrorCode() != 0) {
          failed.put(deleted.getKey(), deleted.getErrorMessage());
        } else if (deleted.getStamp() == 0 && !absent.contains(parentOf(deleted.getKey()))) {
          String why = whyNothingWasDeleted(deleted.getKey());
          if (why != null) {
            failed.put(deleted.getKey(), why);
          }
        }
      }
    }
    return failed;
  }

  /** Null: there is nothing of that name, or an empty directory. */
  private String whyNothingWasDeleted(String key) throws StoreException {
    try {
      return isEmpty(key) ? null : "a directory that is not empty";
    } catch (StoreException e) {
      return denial(e);
    }
  }

  /** In words, what concerns one name of several; what else went wrong concerns all of them. */
  private static String denial(StoreException e) throws StoreException {
    if (e.code() != ErrorCode.ACCESS_DENIED) {
      throw e;
    }
    return e.getMessage();
  }

  /** Deletes one file; false if it was not there any more. */
  boolean deleteFile(String key) throws StoreException {
    keepIfThere(parentOf(key));
    return delete(List.of(key)).get(0).getStamp() != 0;
  }

  /** Whether a directory is removed in one step, whatever is in it. */
  boolean removesInOneStep() {
    return fileSystem;
  }

  /**
   * Removes a directory where that is one step; false if it was not there any more.
   *
   * @param recursive else DIRECTORY_NOT_EMPTY if anything is in it
   */
  boolean removeDirectory(String key, boolean recursive) throws StoreException {
    directories.clear();
    keepIfThere(parentOf(key));
    return objectManager
        .deleteDirectory(
            DeleteDirectoryRequest.newBuilder()
                .setBucket(bucket)
                .setPath(key)
                .setWriteId(WriteId.random())
                .setRecursive(recursive)
                .build())
        .getDeleted();
  }

  /**
   * Deletes a directory and all below it; its own marker last, so that what is cut short can be
   * repeated.
   */
  void deleteDirectory(String key) throws StoreException {
    directories.clear();
    keepIfThere(parentOf(key));
    deleteBelow(key + SLASH);
    delete(List.of(key + SLASH));
  }

  private void deleteBelow(String prefix) throws StoreException {
    String after = prefix; // the marker
    ListObjectsReply page;
    do {
      page = list(prefix, "", after, PAGE);
      if (page.getObjectsCount() > 0) {
        delete(page.getObjectsList().stream().map(ObjectVersion::getKey).toList());
      }
      after = page.getLast();
    } while (page.getMore());
  }

  private List<DeletedObject> deleted(List<String> keys) throws StoreException {
    DeleteObjectsRequest.Builder request = DeleteObjectsRequest.newBuilder().setBucket(bucket);
    for (String key : keys) {
      request.addObjects(ObjectToDelete.newBuilder().setKey(key).setWriteId(WriteId.random()));
    }
    return objectManager.deleteObjects(request.build()).getObjectsList();
  }

  private List<DeletedObject> delete(List<String> keys) throws StoreException {
    List<DeletedObject> all = deleted(keys);
    for (DeletedObject deleted : all) {
      if (deleted.getErrorCode() != 0) {
        ErrorCode code = ErrorCode.ofNumber(deleted.getErrorCode());
        String why = deleted.getErrorMessage();
        // A denial is told in HDFS's words, which name the path.
        throw StoreException.of(
            code, code == ErrorCode.ACCESS_DENIED ? why : deleted.getKey() + ": " + why);
      }
    }
    return all;
  }

  /** Renames a file, atomically; KEY_EXISTS if the target is there and may not be replaced. */
  void renameFile(String source, String target, boolean overwrite) throws StoreException {
    keepIfThere(parentOf(source));
    objectManager.renameObject(
        RenameObjectRequest.newBuilder()
            .setBucket(bucket)
            .setSource(source)
            .setTarget(target)
            .setWriteId(WriteId.random())
            .setOverwrite(overwrite)
            .build());
  }

  /**
   * Renames a directory: in a bucket of layout OBJECT key by key, not atomically, but so that what
   * was cut short can be repeated; in one of layout FILE_SYSTEM in one step.
   */
  void renameDirectory(String source, String target) throws StoreException {
    directories.clear();
    keepIfThere(parentOf(source));
    RenamePrefixRequest request =
        RenamePrefixRequest.newBuilder()
            .setBucket(bucket)
            .setSourcePrefix(source + SLASH)
            .setTargetPrefix(target + SLASH)
            .setWriteId(WriteId.random())
            .build();
    OutcomeUnknownException unanswered = null; // the first call that was
    for (int attempt = 1; ; attempt++) {
      try {
        while (objectManager.renamePrefix(request).getMore()) {
          attempt = 1; // it went on
        }
        return;
      } catch (OutcomeUnknownException e) {
        if (attempt == RENAME_ATTEMPTS) {
          throw e;
        }
        unanswered = unanswered == null ? e : unanswered;
      } catch (StoreException e) {
        if (unanswered == null) {
          throw e;
        }
        // Refused maybe because the call without an answer was done.
        OutcomeUnknownException unknown =
            new OutcomeUnknownException(
                "Cannot tell whether " + source + SLASH + " was renamed: " + e.getMessage(), e);
        unknown.addSuppressed(unanswered);
        throw unknown;
      }
    }
  }

  private ListObjectsReply list(String prefix, String delimiter, String after, int limit)
      throws StoreException {
    return objectManager.listObjects(
        ListObjectsRequest.newBuilder()
            .setBucket(bucket)
            .setPrefix(prefix)
            .setDelimiter(delimiter)
            .setStartAfter(after)
            .setLimit(limit)
            .setWantMarkers(true)
            .setSnapshot(snapshot)
            .build());
  }

  /** Key of the directory that something is in; "" of the root itself. */
  static String parentOf(String key) {
    return key.substring(0, Math.max(0, key.lastIndexOf('/')));
  }

  /** The last component of a key. */
  static String nameOf(String key) {
    return key.substring(key.lastIndexOf('/') + 1);
  }

  /** Key of a directory's child. */
  static String childOf(String directory, String name) {
    return directory.isEmpty() ? name : directory + SLASH + name;
  }

  /** Whether a key is the directory itself or below it. */
  static boolean isWithin(String key, String directory) {
    return directory.isEmpty() || (key + SLASH).startsWith(directory + SLASH);
  }

  private static ByteString md5OfNothing() {
    try {
      return ByteString.copyFrom(MessageDigest.getInstance("MD5").digest());
    } catch (NoSuchAlgorithmException e) {
      throw new IllegalStateException(e);
    }
  }
}
