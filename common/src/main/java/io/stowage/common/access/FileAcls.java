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

import io.stowage.common.proto.FileAttributes;
import io.stowage.common.proto.ObjectMetadata;
import java.io.IOException;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclEntryScope;
import org.apache.hadoop.fs.permission.AclEntryType;
import org.apache.hadoop.fs.permission.AclStatus;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Access control lists by HDFS's rules: nine bits alone are the minimal list; with named entries
 * the middle bits are the mask, and the owning group's own bits are an entry. From metadata to
 * metadata. Stateless.
 */
public final class FileAcls {
  /** Bits of what says nothing of them, as every object store shows it: all. */
  public static final FsPermission FILE = FsPermission.createImmutable((short) 0666);

  public static final FsPermission DIRECTORY = FsPermission.createImmutable((short) 0777);

  /** Of either scope, as HDFS has it. */
  public static final int MOST_ENTRIES = 32;

  /** HDFS's order, by which lists are told and compared. */
  private record Name(AclEntryScope scope, AclEntryType type, String name)
      implements Comparable<Name> {
    private static final Comparator<Name> ORDER =
        Comparator.comparing(Name::scope).thenComparing(Name::type).thenComparing(Name::name);

    static Name of(AclEntry entry) {
      return new Name(
          entry.getScope(), entry.getType(), entry.getName() == null ? "" : entry.getName());
    }

    boolean isMask() {
      return type == AclEntryType.MASK;
    }

    boolean isOther() {
      return type == AclEntryType.OTHER;
    }

    boolean isNamed() {
      return !name.isEmpty();
    }

    boolean isMasked() {
      return isNamed() || type == AclEntryType.GROUP;
    }

    AclEntry with(FsAction action) {
      AclEntry.Builder entry =
          new AclEntry.Builder().setScope(scope).setType(type).setPermission(action);
      return name.isEmpty() ? entry.build() : entry.setName(name).build();
    }

    @Override
    public int compareTo(Name other) {
      return ORDER.compare(this, other);
    }
  }

  private FileAcls() {}

  /** What getAclStatus tells: named entries and defaults, without what the nine bits say. */
  public static AclStatus status(
      ObjectMetadata metadata, boolean directory, String owner, String group) {
    FsPermission permission = permission(metadata.getFile(), directory);
    List<AclEntry> entries = new ArrayList<>();
    all(metadata, directory)
        .forEach(
            (name, action) -> {
              boolean inBits =
                  name.scope() == AclEntryScope.ACCESS
                      && !name.isNamed()
                      && (name.type() != AclEntryType.GROUP || !isExtended(metadata));
              if (!inBits) {
                entries.add(name.with(action));
              }
            });
    return new AclStatus.Builder()
        .owner(owner)
        .group(group)
        .setPermission(permission)
        .stickyBit(permission.getStickyBit())
        .addEntries(entries)
        .build();
  }

  /** What has been set, or what is shown of a file or directory without. */
  public static FsPermission permission(FileAttributes file, boolean directory) {
    if (file.getPermissionPlusOne() != 0) {
      return new FsPermission((short) (file.getPermissionPlusOne() - 1));
    }
    return directory ? DIRECTORY : FILE;
  }

  public static ObjectMetadata withPermission(ObjectMetadata before, FsPermission permission) {
    FileAttributes file =
        before.getFile().toBuilder()
            .setPermissionPlusOne(Short.toUnsignedInt(permission.toShort()) + 1)
            .build();
    return before.toBuilder().setFile(file).build();
  }

  /** Refuses a list that an evaluation could not read. */
  public static void requireReadable(List<String> acl) {
    acl.forEach(text -> AclEntry.parseAclEntry(text, true));
  }

  private static boolean isExtended(ObjectMetadata metadata) {
    return metadata.getAclList().stream().anyMatch(entry -> !entry.startsWith("default:"));
  }

  private static Map<Name, FsAction> all(ObjectMetadata metadata, boolean directory) {
    FsPermission bits = permission(metadata.getFile(), directory);
    Map<Name, FsAction> all = new TreeMap<>();
    for (String text : metadata.getAclList()) {
      AclEntry entry = AclEntry.parseAclEntry(text, true);
      all.put(Name.of(entry), entry.getPermission());
    }
    all.put(access(AclEntryType.USER), bits.getUserAction());
    all.put(access(AclEntryType.OTHER), bits.getOtherAction());
    if (isExtended(metadata)) {
      all.put(access(AclEntryType.MASK), bits.getGroupAction());
    } else {
      all.put(access(AclEntryType.GROUP), bits.getGroupAction());
    }
    return all;
  }

  private static Name access(AclEntryType type) {
    return new Name(AclEntryScope.ACCESS, type, "");
  }

  /** Adds entries, or changes those that are there. */
  public static ObjectMetadata modify(
      ObjectMetadata before, boolean directory, List<AclEntry> entries) throws IOException {
    Map<Name, FsAction> all = all(before, directory);
    return store(before, directory, put(all, entries), entries);
  }

  /** Sets the list; without default entries the default ones that are there stay. */
  public static ObjectMetadata set(ObjectMetadata before, boolean directory, List<AclEntry> entries)
      throws IOException {
    Map<Name, FsAction> all = all(before, directory);
    for (AclEntryScope scope : AclEntryScope.values()) {
      if (entries.stream().anyMatch(entry -> entry.getScope() == scope)) {
        all.keySet().removeIf(name -> name.scope() == scope);
      }
    }
    put(all, entries);
    for (AclEntryType type : List.of(AclEntryType.USER, AclEntryType.GROUP, AclEntryType.OTHER)) {
      if (!all.containsKey(access(type))) {
        throw new IOException(
            "Invalid ACL: the user, group and other entries are required; there is no " + type);
      }
    }
    return store(before, directory, all, entries);
  }

  private static Map<Name, FsAction> put(Map<Name, FsAction> all, List<AclEntry> entries)
      throws IOException {
    for (AclEntry entry : entries) {
      Name name = Name.of(entry);
      if (entry.getPermission() == null) {
        throw new IOException("Invalid ACL: " + entry + " allows nothing and forbids nothing");
      }
      if (name.isNamed() && (name.isMask() || name.isOther())) {
        throw new IOException("Invalid ACL: " + entry + " must not have a name");
      }
      all.put(name, entry.getPermission());
    }
    return all;
  }

  /** Takes entries away, named by scope, type and name. */
  public static ObjectMetadata remove(
      ObjectMetadata before, boolean directory, List<AclEntry> entries) throws IOException {
    Map<Name, FsAction> all = all(before, directory);
    entries.forEach(entry -> all.remove(Name.of(entry)));
    return store(before, directory, all, List.of());
  }

  public static ObjectMetadata removeDefault(ObjectMetadata before, boolean directory)
      throws IOException {
    Map<Name, FsAction> all = all(before, directory);
    all.keySet().removeIf(name -> name.scope() == AclEntryScope.DEFAULT);
    return store(before, directory, all, List.of());
  }

  /** Leaves the nine bits; the owning group gets back its own. */
  public static ObjectMetadata removeAll(ObjectMetadata before, boolean directory)
      throws IOException {
    Map<Name, FsAction> all = all(before, directory);
    all.keySet()
        .removeIf(name -> name.scope() == AclEntryScope.DEFAULT || name.isNamed() || name.isMask());
    return store(before, directory, all, List.of());
  }

  /**
   * What something made in a directory gets from it: the default entries, and as far as the creator
   * asks for them; a directory gets them as its own default entries, too. Without default entries
   * the permission alone.
   *
   * @param parent all metadata of the directory
   * @param permission as asked for; where it tells what it was before its umask ({@link
   *     FsPermission#getUnmasked}), that is what counts beside default entries
   */
  public static ObjectMetadata inherit(
      ObjectMetadata child, ObjectMetadata parent, boolean directory, FsPermission permission)
      throws IOException {
    Map<Name, FsAction> all = new TreeMap<>();
    for (String text : parent.getAclList()) {
      AclEntry entry = AclEntry.parseAclEntry(text, true);
      if (entry.getScope() == AclEntryScope.DEFAULT) {
        Name name = Name.of(entry);
        if (directory) {
          all.put(name, entry.getPermission());
        }
        all.put(new Name(AclEntryScope.ACCESS, name.type(), name.name()), entry.getPermission());
      }
    }
    if (all.isEmpty()) {
      return withPermission(child, permission);
    }
    FsPermission asked = permission.getUnmasked() == null ? permission : permission.getUnmasked();
    Name group = access(AclEntryType.GROUP);
    Name mask = access(AclEntryType.MASK);
    all.computeIfPresent(access(AclEntryType.USER), (n, a) -> a.and(asked.getUserAction()));
    all.computeIfPresent(access(AclEntryType.OTHER), (n, a) -> a.and(asked.getOtherAction()));
    all.computeIfPresent(
        all.containsKey(mask) ? mask : group, (n, a) -> a.and(asked.getGroupAction()));
    List<AclEntry> given = all.containsKey(mask) ? List.of(mask.with(all.get(mask))) : List.of();
    return store(child, directory, all, given);
  }

  /**
   * Completes a list and stores it.
   *
   * @param given a mask among them stays as it is; else it becomes all that is masked by it
   */
  private static ObjectMetadata store(
      ObjectMetadata before, boolean directory, Map<Name, FsAction> all, List<AclEntry> given)
      throws IOException {
    completeDefaults(all);
    if (!directory && all.keySet().stream().anyMatch(n -> n.scope() == AclEntryScope.DEFAULT)) {
      throw new IOException("Invalid ACL: only directories may have a default ACL");
    }
    for (AclEntryScope scope : AclEntryScope.values()) {
      completeMask(scope, all, given);
      long count = all.keySet().stream().filter(name -> name.scope() == scope).count();
      if (count > MOST_ENTRIES) {
        throw new IOException("Invalid ACL: " + count + " entries, at most " + MOST_ENTRIES);
      }
    }
    Name mask = access(AclEntryType.MASK);
    boolean extended = all.containsKey(mask);
    FsPermission old = permission(before.getFile(), directory);
    FsPermission bits =
        new FsPermission(
            required(all, AclEntryType.USER),
            extended ? all.get(mask) : required(all, AclEntryType.GROUP),
            required(all, AclEntryType.OTHER),
            old.getStickyBit());
    ObjectMetadata.Builder after = withPermission(before, bits).toBuilder().clearAcl();
    all.forEach(
        (name, action) -> {
          boolean inBits =
              name.scope() == AclEntryScope.ACCESS
                  && !name.isNamed()
                  && (name.type() != AclEntryType.GROUP || !extended);
          if (!inBits) {
            after.addAcl(name.with(action).toStringStable());
          }
        });
    FileAttributes file = after.getFile().toBuilder().setHasAcl(after.getAclCount() > 0).build();
    return after.setFile(file).build();
  }

  private static FsAction required(Map<Name, FsAction> all, AclEntryType type) throws IOException {
    FsAction action = all.get(access(type));
    if (action == null) {
      throw new IOException("Invalid ACL: there must be an entry of the " + type);
    }
    return action;
  }

  /** A default list that somebody begins has what the access list says where it says nothing. */
  private static void completeDefaults(Map<Name, FsAction> all) {
    if (all.keySet().stream().noneMatch(name -> name.scope() == AclEntryScope.DEFAULT)) {
      return;
    }
    for (AclEntryType type : List.of(AclEntryType.USER, AclEntryType.GROUP, AclEntryType.OTHER)) {
      FsAction ofAccess = all.get(access(type));
      if (ofAccess != null) {
        all.putIfAbsent(new Name(AclEntryScope.DEFAULT, type, ""), ofAccess);
      }
    }
  }

  private static void completeMask(
      AclEntryScope scope, Map<Name, FsAction> all, List<AclEntry> given) {
    Name mask = new Name(scope, AclEntryType.MASK, "");
    boolean named = all.keySet().stream().anyMatch(name -> name.scope() == scope && name.isNamed());
    boolean said = given.stream().anyMatch(entry -> Name.of(entry).equals(mask));
    if (!named && !said) {
      all.remove(mask); // nothing left to mask
    } else if (!said) {
      FsAction union = FsAction.NONE;
      for (Map.Entry<Name, FsAction> entry : all.entrySet()) {
        if (entry.getKey().scope() == scope && entry.getKey().isMasked()) {
          union = union.or(entry.getValue());
        }
      }
      all.put(mask, union);
    }
  }
}
