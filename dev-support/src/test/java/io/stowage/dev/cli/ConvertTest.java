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
package io.stowage.dev.cli;

import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.client.repack.BucketConversion;
import io.stowage.common.error.StoreException;
import java.io.PrintWriter;
import java.io.StringWriter;
import org.junit.jupiter.api.Test;

class ConvertTest {
  @Test
  void aConversionThatLeftSomeIsAFailure() throws StoreException {
    StringWriter out = new StringWriter();
    Output output = new Output(new PrintWriter(out), false);
    BucketCommands.Convert.tell(new BucketConversion.Progress(2, 1, 10, "k", 2, true), output);
    assertTrue(out.toString().startsWith("converted 1 of 2 objects, 10 bytes, in 2 passes"));
    assertThrows(
        StoreException.class,
        () ->
            BucketCommands.Convert.tell(
                new BucketConversion.Progress(2, 1, 10, "k", 2, false), output));
  }
}
