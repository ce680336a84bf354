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
package io.stowage.datanode.disk;

import io.stowage.common.error.ErrorCode;
import io.stowage.common.error.StoreException;
import java.io.IOException;
import java.io.StringReader;
import java.nio.file.Path;
import java.util.Properties;

/**
 * Whose disk a directory is: the file {@code disk.properties} in it. Immutable.
 *
 * @param clusterId empty until the node has heard of its cluster
 * @param nodeId datanode that the disk belongs to
 * @param diskId random; moves with the disk
 */
public record DiskIdentity(String clusterId, String nodeId, String diskId) {
  public static final int FORMAT_VERSION = 1;
  private static final String FILE = "disk.properties";

  /** Where the identity of a directory is kept. */
  public static Path file(Path directory) {
    return directory.resolve(FILE);
  }

  /**
   * @return null if the directory has none
   * @throws StoreException if it is of a later format, or damaged
   */
  public static DiskIdentity read(DiskFiles files, Path directory) throws IOException {
    String text = SmallFile.read(files, file(directory));
    if (text == null) {
      return null;
    }
    Properties properties = new Properties();
    properties.load(new StringReader(text));
    int version;
    try {
      version = Integer.parseInt(properties.getProperty("format.version", ""));
    } catch (NumberFormatException e) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use disk " + directory + ": " + file(directory) + " names no format.version",
          e);
    }
    if (version != FORMAT_VERSION) {
      throw new StoreException(
          version > FORMAT_VERSION ? ErrorCode.FORMAT_TOO_NEW : ErrorCode.FORMAT_TOO_OLD,
          "Cannot use disk "
              + directory
              + ": it has format "
              + version
              + ", this datanode knows "
              + FORMAT_VERSION);
    }
    String nodeId = properties.getProperty("node.id", "");
    String diskId = properties.getProperty("disk.id", "");
    if (nodeId.isEmpty() || diskId.isEmpty()) {
      throw new StoreException(
          ErrorCode.BAD_CONFIGURATION,
          "Cannot use disk " + directory + ": " + file(directory) + " names no node or disk");
    }
    return new DiskIdentity(properties.getProperty("cluster.id", ""), nodeId, diskId);
  }

  public void write(DiskFiles files, Path directory) throws IOException {
    SmallFile.replace(
        files,
        file(directory),
        "# Identity of this disk: never edit, never copy to another disk.\n"
            + "format.version="
            + FORMAT_VERSION
            + "\ncluster.id="
            + clusterId
            + "\nnode.id="
            + nodeId
            + "\ndisk.id="
            + diskId
            + "\n");
  }

  public DiskIdentity inCluster(String id) {
    return new DiskIdentity(id, nodeId, diskId);
  }
}
