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
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.fs.DelegateToFileSystem;

/**
 * {@code stow://} for FileContext, over {@link StowageFileSystem}: {@code
 * fs.AbstractFileSystem.stow.impl = io.stowage.fs.StowageFs}, which, other than a FileSystem, no
 * service file can announce. Compiled for Java 8. Thread-safe.
 */
public class StowageFs extends DelegateToFileSystem {
  /** Called by Hadoop through reflection. */
  public StowageFs(URI uri, Configuration conf) throws IOException, URISyntaxException {
    // false: with an authority that is required, Hadoop wants a default port, too; a URI without
    // bucket is refused anyway
    super(uri, new StowageFileSystem(), conf, StowageFileSystem.SCHEME, false);
  }

  /** A bucket has no port; what FileContext would else put into every URI. */
  @Override
  public int getUriDefaultPort() {
    return -1;
  }
}
