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
package io.stowage.dev.chaos;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/**
 * A cluster that can be damaged. Roles are named; each datanode has one disk and is a failure
 * domain. Methods may be called from several threads, for different roles.
 */
public interface ChaosCluster {
  List<String> datanodes();

  /** The roles without data whose death the cluster is to survive: one, or all of a kind. */
  List<String> services();

  /** Whether a role can be stopped in the middle of an instruction and go on later. */
  boolean canPause();

  void kill(String role) throws IOException, InterruptedException;

  /** Starts what does not run and returns once it serves. */
  void start(String role) throws IOException, InterruptedException;

  void pause(String role) throws IOException, InterruptedException;

  void resume(String role) throws IOException, InterruptedException;

  /** The datanode's disk is gone, with the datanode running. */
  void removeDisk(String datanode) throws IOException, InterruptedException;

  void returnDisk(String datanode) throws IOException, InterruptedException;

  /** Where the datanode keeps its shards. */
  Path disk(String datanode);

  /** Roles that ended though nobody killed them, since the last call; they are started again. */
  List<String> endedByThemselves() throws IOException, InterruptedException;
}
