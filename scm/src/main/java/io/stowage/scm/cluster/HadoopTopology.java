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
package io.stowage.scm.cluster;

import java.util.List;
import org.apache.hadoop.net.DNSToSwitchMapping;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Racks as Hadoop's topology script or table tells them (net.topology.script.file.name,
 * net.topology.table.file.name, or any class that is configured in their place). Thread-safe as the
 * mapping is.
 */
public final class HadoopTopology implements RackResolver {
  private static final Logger LOG = LoggerFactory.getLogger(HadoopTopology.class);

  private final DNSToSwitchMapping mapping;

  public HadoopTopology(DNSToSwitchMapping mapping) {
    this.mapping = mapping;
  }

  @Override
  public String rackOf(String host) {
    List<String> racks = mapping.resolve(List.of(host));
    if (racks == null || racks.isEmpty() || racks.get(0) == null) {
      LOG.warn("Cannot tell the rack of {}: topology mapping gave {}; default used", host, racks);
      return DEFAULT_RACK;
    }
    return racks.get(0);
  }
}
