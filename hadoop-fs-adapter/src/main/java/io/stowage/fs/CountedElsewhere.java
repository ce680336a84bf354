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

import org.apache.hadoop.fs.FileSystem;

/**
 * A FileSystem whose operations may count for somebody else: a FileContext's for the FileContext,
 * which has statistics of its own. Compiled for Java 8, as what asks for it is.
 */
interface CountedElsewhere {
  /** From now on, what is done counts here; streams that are open go on as they were. */
  void countIn(FileSystem.Statistics statistics);
}
