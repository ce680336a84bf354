/**
 * The admin command line. Each command is a class that asks object managers or SCMs by Hadoop RPC
 * and hands rows to {@link io.stowage.dev.cli.Output}, which alone knows tables from JSON.
 */
package io.stowage.dev.cli;
