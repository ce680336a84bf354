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
package io.stowage.client;

/**
 * What a data path has sent to its shards since it was made, packed and streamed. Immutable.
 *
 * @param stripes sent, those that were written again included
 * @param dataCells of all of them; over {@code stripes} it is their mean width
 * @param cellBytes data and parity, whole sectors
 * @param failed of the stripes: refused, or late, and written again if somebody waits for them
 */
public record StripeFigures(long stripes, long dataCells, long cellBytes, long failed) {
  /** What came since an earlier time. */
  public StripeFigures since(StripeFigures earlier) {
    return new StripeFigures(
        stripes - earlier.stripes,
        dataCells - earlier.dataCells,
        cellBytes - earlier.cellBytes,
        failed - earlier.failed);
  }

  public double meanWidth() {
    return stripes == 0 ? 0 : (double) dataCells / stripes;
  }
}
