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
/**
 * {@code stow://bucket/path} as a Hadoop FileSystem.
 *
 * <p>{@link io.stowage.fs.StowageFileSystem} and {@link io.stowage.fs.StowageFs} are what a
 * configuration names; compiled for Java 8, they refuse an older Java in words and hand everything
 * on to BucketFileSystem, which is Hadoop's contract over {@code ObjectTree}, the directories that
 * a bucket's keys imply. Bytes go through one ClusterConnection a process and cluster straight to
 * the datanodes.
 */
package io.stowage.fs;
