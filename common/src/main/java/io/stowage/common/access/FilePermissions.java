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
import java.util.List;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclEntryScope;
import org.apache.hadoop.fs.permission.AclEntryType;
import org.apache.hadoop.fs.permission.FsAction;
import org.apache.hadoop.fs.permission.FsPermission;

/**
 * Permissions of a file or directory, as HDFS evaluates them: POSIX's nine bits, the sticky one,
 * and POSIX.1e's access control list. Immutable.
 *
 * <p>Of owner, named users, groups and all others the first that fits decides, with one exception:
 * of the groups that somebody is in, any may allow. Named users and all groups are bounded by the
 * mask, which stands in the middle three bits.
 *
 * @param path as it is named in refusals
 */
public record FilePermissions(
    String path,
    String owner,
    String group,
    FsPermission bits,
    boolean directory,
    List<String> acl) {

  /** What counts where nobody said anything: who put it may change it, others read it. */
  private static final FsPermission FILE = FsPermission.createImmutable((short) 0644);

  private static final FsPermission DIRECTORY = FsPermission.createImmutable((short) 0755);

  /**
   * Of what a row says.
   *
   * @param bucketOwner owns what says nothing of an owner
   */
  public static FilePermissions of(
      String path, ObjectMetadata metadata, boolean directory, String bucketOwner) {
    return of(path, metadata, directory, bucketOwner, directory ? DIRECTORY : FILE);
  }

  /**
   * Of what a row says.
   *
   * @param unsaid bits of what says nothing of them
   */
  public static FilePermissions of(
      String path,
      ObjectMetadata metadata,
      boolean directory,
      String bucketOwner,
      FsPermission unsaid) {
    FileAttributes file = metadata.getFile();
    String owner = file.getOwner().isEmpty() ? metadata.getOwner() : file.getOwner();
    return new FilePermissions(
        path,
        owner.isEmpty() ? bucketOwner : owner,
        file.getGroup(),
        file.getPermissionPlusOne() == 0
            ? unsaid
            : new FsPermission((short) (file.getPermissionPlusOne() - 1)),
        directory,
        file.getHasAcl() ? metadata.getAclList() : List.of());
  }

  /**
   * Whether somebody may do this.
   *
   * @param who null: somebody who is not known, and so one of all others
   */
  public boolean allow(Person who, FsAction wanted) {
    if (who == null) {
      return bits.getOtherAction().implies(wanted);
    }
    if (who.is(owner)) {
      return bits.getUserAction().implies(wanted);
    }
    if (acl.isEmpty()) {
      return (who.isIn(group) ? bits.getGroupAction() : bits.getOtherAction()).implies(wanted);
    }
    List<AclEntry> entries;
    try {
      entries = acl.stream().map(text -> AclEntry.parseAclEntry(text, true)).toList();
    } catch (IllegalArgumentException e) {
      return false; // a list that nobody can read is no reason to let anybody in
    }
    return allow(entries, who, wanted);
  }

  private boolean allow(List<AclEntry> entries, Person who, FsAction wanted) {
    FsAction mask = bits.getGroupAction();
    boolean extended = false;
    for (AclEntry entry : entries) {
      boolean ofAccess = entry.getScope() == AclEntryScope.ACCESS;
      extended |= ofAccess;
      if (ofAccess && isOf(entry, AclEntryType.USER) && who.is(entry.getName())) {
        return entry.getPermission().and(mask).implies(wanted);
      }
    }
    if (!extended) { // default entries alone, and the middle bits are the group's
      return (who.isIn(group) ? mask : bits.getOtherAction()).implies(wanted);
    }
    boolean inAGroup = false;
    for (AclEntry entry : entries) {
      if (entry.getScope() != AclEntryScope.ACCESS || entry.getType() != AclEntryType.GROUP) {
        continue;
      }
      if (who.isIn(entry.getName() == null ? group : entry.getName())) {
        inAGroup = true;
        if (entry.getPermission().and(mask).implies(wanted)) {
          return true;
        }
      }
    }
    return !inAGroup && bits.getOtherAction().implies(wanted);
  }

  private static boolean isOf(AclEntry entry, AclEntryType type) {
    return entry.getType() == type && entry.getName() != null;
  }

  public boolean isSticky() {
    return bits.getStickyBit();
  }

  /** In HDFS's words. */
  public String refusal(Person who, FsAction wanted) {
    return "Permission denied: user="
        + nameOf(who)
        + ", access="
        + wanted
        + ", inode=\""
        + path
        + "\":"
        + owner
        + ":"
        + group
        + ":"
        + (directory ? "d" : "-")
        + bits
        + (acl.isEmpty() ? "" : "+");
  }

  /** How somebody is named in refusals. */
  public static String nameOf(Person who) {
    return who == null ? "anonymous" : who.name();
  }
}
