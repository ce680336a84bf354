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
package io.stowage.scm;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.stowage.scm.cluster.RackResolver;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.hadoop.conf.Configuration;
import org.apache.hadoop.net.TableMapping;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Racks as HDFS and YARN are told them: by a table, or by a script. */
class HadoopTopologyTest {
  @TempDir Path directory;

  @Test
  void readsTheTable() throws Exception {
    Path table = Files.writeString(directory.resolve("racks"), "10.0.0.1 /row1/r1\n10.0.0.2 /r2\n");
    Configuration conf = new Configuration();
    conf.set("net.topology.table.file.name", table.toString());
    RackResolver racks = ScmServer.topology(conf);
    assertEquals("/row1/r1", racks.rackOf("10.0.0.1"));
    assertEquals("/r2", racks.rackOf("10.0.0.2"));
    assertEquals(RackResolver.DEFAULT_RACK, racks.rackOf("10.0.0.3"));
  }

  @Test
  void asksTheScript() throws Exception {
    Path script =
        Files.writeString(
            directory.resolve("racks.sh"),
            "#!/bin/sh\nfor host; do case $host in *.1) echo /r1;; *) echo /r2;; esac; done\n");
    assertTrue(script.toFile().setExecutable(true));
    Configuration conf = new Configuration();
    conf.set("net.topology.script.file.name", script.toString());
    RackResolver racks = ScmServer.topology(conf);
    assertEquals("/r1", racks.rackOf("10.0.0.1"));
    assertEquals("/r2", racks.rackOf("10.0.0.2"));
  }

  @Test
  void whatIsSaidInFullHolds() throws Exception {
    Path table = Files.writeString(directory.resolve("racks"), "10.0.0.1 /r1\n");
    Path script = Files.writeString(directory.resolve("racks.sh"), "#!/bin/sh\necho /r9\n");
    assertTrue(script.toFile().setExecutable(true));
    Configuration conf = new Configuration();
    conf.set("net.topology.table.file.name", table.toString());
    conf.set("net.topology.script.file.name", script.toString());
    assertEquals("/r9", ScmServer.topology(conf).rackOf("10.0.0.1"));
    conf.set("net.topology.node.switch.mapping.impl", TableMapping.class.getName());
    assertEquals("/r1", ScmServer.topology(conf).rackOf("10.0.0.1"));
  }

  @Test
  void aScriptThatFailsPutsHostsIntoTheDefaultRack() {
    Configuration conf = new Configuration();
    conf.set("net.topology.script.file.name", directory.resolve("none").toString());
    assertEquals(RackResolver.DEFAULT_RACK, ScmServer.topology(conf).rackOf("10.0.0.1"));
  }
}
