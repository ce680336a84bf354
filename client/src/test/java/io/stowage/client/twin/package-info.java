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
 * In-memory twins of the object manager and of the data path, for tests of what stands on them (the
 * S3 gateway, Hadoop's FileSystem). They keep the contract's rules on conditions, retries by write
 * id, listings, renames and uploads; they have no leases, no epochs and no disks.
 */
package io.stowage.client.twin;
