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
package io.stowage.om.object;

import io.stowage.common.error.OutcomeUnknownException;
import io.stowage.common.error.StoreException;
import io.stowage.common.proto.ObjectMetadata;
import io.stowage.common.proto.ObjectVersion;
import io.stowage.om.row.Sent;
import io.stowage.om.table.ObjectRowLayout;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/**
 * Changes of what the entry of a directory says of it. Thread-safe.
 *
 * <p>Who may change what, and to what, is said of the very entry that the compare-and-set compares:
 * two who make a directory again, or one who does while another takes rights away from it, come in
 * some order, and nothing that was said in between is lost.
 */
public final class DirectoryEntries {
  private final ObjectRows rows;

  public DirectoryEntries(ObjectRows rows) {
    this.rows = rows;
  }

  /** What a directory is to say of itself, by what it says: asked anew when that has changed. */
  @FunctionalInterface
  public interface Change {
    /** Says nothing else. */
    Change NOTHING = ObjectVersion::getMetadata;

    /**
     * The change is made only if the entry is still this one.
     *
     * @param now the entry with all that it says, and its stamp
     */
    ObjectMetadata of(ObjectVersion now) throws StoreException;
  }

  /**
   * Says of a directory that somebody made it, or that it is there only for what is in it.
   *
   * @return the entry as it is now; null if this directory is no longer there
   */
  public ObjectVersion set(ByteString row, long directoryId, boolean implied, Change change)
      throws StoreException {
    return Sent.track(sent -> set(row, directoryId, implied, change, sent));
  }

  private ObjectVersion set(
      ByteString row, long directoryId, boolean implied, Change change, Sent sent)
      throws StoreException {
    for (int attempt = 0; attempt < ObjectRows.MOST_ATTEMPTS; attempt++) {
      ObjectRows.Located located = rows.locate(row, 0, List.of()).located();
      if (located == null || !located.version().isLive()) {
        return null;
      }
      ObjectVersion version = rows.details(located);
      if (version == null) {
        continue;
      }
      if (version.getDirectoryId() != directoryId) {
        return null;
      }
      ObjectMetadata said = change.of(SeenRow.named(row, located.version(), version));
      if (implied == version.getImplied() && said.equals(version.getMetadata())) {
        return located.told();
      }
      sent.mark();
      ObjectVersion changed = version.toBuilder().setImplied(implied).setMetadata(said).build();
      switch (rows.rewrite(located, changed)) {
        case APPLIED -> {
          SeenRow now = rows.read(row, List.of());
          return now.isLive() && now.head().record().getVersion().getDirectoryId() == directoryId
              ? SeenRow.withoutManifest(SeenRow.version(row, now.head()))
              : null;
        }
        case REFUSED -> rows.committer().pause().backOff(attempt);
        case UNKNOWN ->
            throw new OutcomeUnknownException(
                "Cannot tell whether directory " + ObjectRowLayout.key(row) + " was changed", null);
      }
    }
    throw ObjectRows.contended(row);
  }
}
