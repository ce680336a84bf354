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

import java.io.IOException;
import java.util.List;
import org.apache.hadoop.thirdparty.protobuf.ByteString;

/** The regions of table {@code object}, for who cares for them one by one. Thread-safe. */
public interface Regions {
  /** First rows of all regions, ascending; the first is empty. */
  List<ByteString> starts() throws IOException;

  /**
   * Asks for the regions that begin in a range, more than one if it was split since, to be
   * rewritten without what was deleted from them. Returns before that is done; asked again while it
   * is under way, does it again.
   *
   * @param from inclusive
   * @param to exclusive
   */
  void compact(ByteString from, ByteString to) throws IOException;
}
