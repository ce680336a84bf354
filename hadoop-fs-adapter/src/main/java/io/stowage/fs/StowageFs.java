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

import java.io.IOException;
import java.net.URI;
import java.net.URISyntaxException;
import java.util.Arrays;
import java.util.EnumSet;
import java.util.HashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.LocatedFileStatus;
import org.apache.hadoop.fs.MultipartUploaderBuilder;
import org.apache.hadoop.fs.Options;
import org.apache.hadoop.fs.Path;
import org.apache.hadoop.fs.RemoteIterator;
import org.apache.hadoop.fs.XAttrSetFlag;
import org.apache.hadoop.fs.permission.AclEntry;
import org.apache.hadoop.fs.permission.AclStatus;
import org.apache.hadoop.fs.permission.FsAction;

/**
 * {@code stow://} for FileContext, over {@link StowageFileSystem}: {@code
 * fs.AbstractFileSystem.stow.impl = io.stowage.fs.StowageFs}, which, other than a FileSystem, no
 * service file can announce. Hands on what DelegateToFileSystem does not. Compiled for Java 8; no
 * method may name a type that Hadoop 3.3.4 lacks. Thread-safe.
 */
public class StowageFs extends DelegateToFileSystem {
  /** What a FileSystem can and a FileContext has no method for, by Hadoop's names. */
  private static final Set<String> WITHOUT_METHOD =
      new HashSet<>(Arrays.asList("fs.capability.bulk.delete", "fs.capability.paths.pathhandles"));

  /** Options of files that are created; a FileContext's builder hands none on. */
  private static final String CREATE_OPTIONS = "fs.option.create.";

  /** Called by Hadoop through reflection. */
  public StowageFs(URI uri, Configuration conf) throws IOException, URISyntaxException {
    // false: with an authority that is required, Hadoop wants a default port, too; a URI without
    // bucket is refused anyway
    super(uri, new StowageFileSystem(), conf, StowageFileSystem.SCHEME, false);
    fileSystem().countIn(getStatistics());
  }

  /** The FileSystem behind it. */
  final StowageFileSystem fileSystem() {
    return (StowageFileSystem) fsImpl;
  }

  /** A bucket has no port; what FileContext would else put into every URI. */
  @Override
  public int getUriDefaultPort() {
    return -1;
  }

  /** In one step where a file replaces a file, for which the inherited method takes two. */
  @Override
  public void renameInternal(Path source, Path target, boolean overwrite) throws IOException {
    checkPath(source);
    checkPath(target);
    fileSystem()
        .renameWith(source, target, overwrite ? Options.Rename.OVERWRITE : Options.Rename.NONE);
  }

  @Override
  public boolean hasPathCapability(Path path, String capability) throws IOException {
    String name = capability.toLowerCase(Locale.ROOT);
    return !WITHOUT_METHOD.contains(name)
        && !name.startsWith(CREATE_OPTIONS)
        && super.hasPathCapability(path, capability);
  }

  @Override
  public void access(Path path, FsAction mode) throws IOException {
    fsImpl.access(path, mode);
  }

  @Override
  public RemoteIterator<FileStatus> listStatusIterator(Path path) throws IOException {
    return fsImpl.listStatusIterator(path);
  }

  @Override
  public RemoteIterator<LocatedFileStatus> listLocatedStatus(Path path) throws IOException {
    return fsImpl.listLocatedStatus(path);
  }

  @Override
  @SuppressWarnings("rawtypes") // as Hadoop declares it
  public MultipartUploaderBuilder createMultipartUploader(Path base) throws IOException {
    return fsImpl.createMultipartUploader(base);
  }

  @Override
  public void modifyAclEntries(Path path, List<AclEntry> entries) throws IOException {
    fsImpl.modifyAclEntries(path, entries);
  }

  @Override
  public void removeAclEntries(Path path, List<AclEntry> entries) throws IOException {
    fsImpl.removeAclEntries(path, entries);
  }

  @Override
  public void removeDefaultAcl(Path path) throws IOException {
    fsImpl.removeDefaultAcl(path);
  }

  @Override
  public void removeAcl(Path path) throws IOException {
    fsImpl.removeAcl(path);
  }

  @Override
  public void setAcl(Path path, List<AclEntry> entries) throws IOException {
    fsImpl.setAcl(path, entries);
  }

  @Override
  public AclStatus getAclStatus(Path path) throws IOException {
    return fsImpl.getAclStatus(path);
  }

  @Override
  public void setXAttr(Path path, String name, byte[] value) throws IOException {
    fsImpl.setXAttr(path, name, value);
  }

  @Override
  public void setXAttr(Path path, String name, byte[] value, EnumSet<XAttrSetFlag> flags)
      throws IOException {
    fsImpl.setXAttr(path, name, value, flags);
  }

  @Override
  public byte[] getXAttr(Path path, String name) throws IOException {
    return fsImpl.getXAttr(path, name);
  }

  @Override
  public Map<String, byte[]> getXAttrs(Path path) throws IOException {
    return fsImpl.getXAttrs(path);
  }

  @Override
  public Map<String, byte[]> getXAttrs(Path path, List<String> names) throws IOException {
    return fsImpl.getXAttrs(path, names);
  }

  @Override
  public List<String> listXAttrs(Path path) throws IOException {
    return fsImpl.listXAttrs(path);
  }

  @Override
  public void removeXAttr(Path path, String name) throws IOException {
    fsImpl.removeXAttr(path, name);
  }

  @Override
  public Path createSnapshot(Path path, String name) throws IOException {
    return fsImpl.createSnapshot(path, name);
  }

  @Override
  public void renameSnapshot(Path path, String name, String newName) throws IOException {
    fsImpl.renameSnapshot(path, name, newName);
  }

  @Override
  public void deleteSnapshot(Path path, String name) throws IOException {
    fsImpl.deleteSnapshot(path, name);
  }
}
