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
import java.time.Duration;
import java.util.List;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;

/** HBase itself. */
class HBaseRowStoreContractTest extends RowStoreContract {
  private static HBaseTables tables;

  @BeforeAll
  static void open() throws Exception {
    tables =
        HBaseTables.open(
            HBaseFixture.configuration(), "contract", List.of(), Duration.ofSeconds(10), 1_000_000);
  }

  @AfterAll
  static void close() throws IOException {
    tables.close();
  }

  @Override
  RowStore store() {
    return tables.objects();
  }

  @Override
  void flush() throws IOException {
    HBaseFixture.flush("contract:" + ObjectRowLayout.TABLE);
  }
}
