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

import io.stowage.common.proto.DatanodeInfo;
import java.util.concurrent.CompletableFuture;

/**
 * Asks the data plane of a node that somebody had trouble with whether it answers. Never blocks;
 * thread-safe.
 */
@FunctionalInterface
public interface NodeProbe {
  /** Completes normally once the node answered anything, exceptionally if it did not. */
  CompletableFuture<?> probe(DatanodeInfo node);
}
