package headgate;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.regex.Pattern;
import org.apache.hadoop.fs.FileStatus;
import org.apache.hadoop.fs.FileSystem;
import org.apache.hadoop.fs.Path;
import org.apache.spark.sql.catalyst.analysis.NoSuchNamespaceException;
import org.apache.spark.sql.catalyst.analysis.NoSuchTableException;
import org.apache.spark.sql.classic.SparkSession;
import org.apache.spark.sql.connector.catalog.Column;
import org.apache.spark.sql.connector.catalog.Identifier;
import org.apache.spark.sql.connector.catalog.NamespaceChange;
import org.apache.spark.sql.connector.catalog.SupportsNamespaces;
import org.apache.spark.sql.connector.catalog.Table;
import org.apache.spark.sql.connector.catalog.TableCatalog;
import org.apache.spark.sql.connector.catalog.TableChange;
import org.apache.spark.sql.connector.expressions.Transform;
import org.apache.spark.sql.util.CaseInsensitiveStringMap;

/**
 * A catalog that is a directory: a schema is a directory in it, a table a directory with a Delta log.
 *
 * <p>Option {@code root}: the directory. Nothing is cached, so a table is visible as soon as its first commit is.
 * Loading goes through {@code spark_catalog}, which must be Delta's, by path. Tables are created by the jobs, never here.
 */
public final class PathCatalog implements TableCatalog, SupportsNamespaces {
  /** A name from SQL becomes a part of a path, so it may hold nothing that moves to another one. */
  private static final Pattern SAFE = Pattern.compile("[A-Za-z0-9_-]{1,255}");

  private String name;
  private Path root;

  @Override
  public void initialize(String name, CaseInsensitiveStringMap options) {
    this.name = name;
    if (options.get("root") == null) {
      throw new IllegalArgumentException("catalog " + name + " needs the option root, a directory");
    }
    this.root = new Path(options.get("root"));
  }

  @Override
  public String name() {
    return name;
  }

  @Override
  public Table loadTable(Identifier ident) throws NoSuchTableException {
    return delta().loadTable(located(ident));
  }

  @Override
  public Table loadTable(Identifier ident, String version) throws NoSuchTableException {
    return delta().loadTable(located(ident), version);
  }

  @Override
  public Table loadTable(Identifier ident, long timestamp) throws NoSuchTableException {
    return delta().loadTable(located(ident), timestamp);
  }

  @Override
  public Table alterTable(Identifier ident, TableChange... changes) throws NoSuchTableException {
    return delta().alterTable(located(ident), changes);
  }

  @Override
  public Identifier[] listTables(String[] namespace) throws NoSuchNamespaceException {
    List<Identifier> tables = new ArrayList<>();
    for (String table : directories(schema(namespace))) {
      if (exists(new Path(new Path(schema(namespace), table), "_delta_log"))) {
        tables.add(Identifier.of(namespace, table));
      }
    }
    return tables.toArray(new Identifier[0]);
  }

  @Override
  public String[][] listNamespaces() {
    return directories(root).stream().map(schema -> new String[] {schema}).toArray(String[][]::new);
  }

  @Override
  public String[][] listNamespaces(String[] namespace) throws NoSuchNamespaceException {
    if (namespace.length == 0) {
      return listNamespaces();
    }
    schema(namespace);
    return new String[0][];
  }

  @Override
  public Map<String, String> loadNamespaceMetadata(String[] namespace) throws NoSuchNamespaceException {
    return Map.of(SupportsNamespaces.PROP_LOCATION, schema(namespace).toString());
  }

  @Override
  public Table createTable(Identifier ident, Column[] columns, Transform[] partitions, Map<String, String> properties) {
    throw refused("CREATE TABLE");
  }

  @Override
  public boolean dropTable(Identifier ident) {
    throw refused("DROP TABLE");
  }

  @Override
  public void renameTable(Identifier from, Identifier to) {
    throw refused("RENAME TABLE");
  }

  @Override
  public void createNamespace(String[] namespace, Map<String, String> metadata) {
    throw refused("CREATE SCHEMA");
  }

  @Override
  public void alterNamespace(String[] namespace, NamespaceChange... changes) {
    throw refused("ALTER SCHEMA");
  }

  @Override
  public boolean dropNamespace(String[] namespace, boolean cascade) {
    throw refused("DROP SCHEMA");
  }

  private UnsupportedOperationException refused(String statement) {
    return new UnsupportedOperationException(statement + " is not allowed in catalog " + name + ": the gateway makes its tables");
  }

  /** The identifier under which Delta's catalog finds the table by its path. */
  private Identifier located(Identifier ident) throws NoSuchTableException {
    String[] namespace = ident.namespace();
    if (namespace.length != 1 || !safe(namespace[0]) || !safe(ident.name())) {
      throw new NoSuchTableException(ident);
    }
    Path table = new Path(new Path(root, namespace[0]), ident.name());
    if (!exists(new Path(table, "_delta_log"))) {
      throw new NoSuchTableException(ident);
    }
    return Identifier.of(new String[] {"delta"}, table.toString());
  }

  private Path schema(String[] namespace) throws NoSuchNamespaceException {
    if (namespace.length != 1 || !safe(namespace[0]) || !exists(new Path(root, namespace[0]))) {
      throw new NoSuchNamespaceException(namespace);
    }
    return new Path(root, namespace[0]);
  }

  private List<String> directories(Path parent) {
    try {
      List<String> names = new ArrayList<>();
      if (files().exists(parent)) {
        for (FileStatus status : files().listStatus(parent)) {
          if (status.isDirectory() && safe(status.getPath().getName())) {
            names.add(status.getPath().getName());
          }
        }
      }
      names.sort(null);
      return names;
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private boolean exists(Path path) {
    try {
      return files().exists(path);
    } catch (IOException error) {
      throw new UncheckedIOException(error);
    }
  }

  private FileSystem files() throws IOException {
    return root.getFileSystem(SparkSession.active().sessionState().newHadoopConf());
  }

  private static TableCatalog delta() {
    return (TableCatalog) SparkSession.active().sessionState().catalogManager().catalog("spark_catalog");
  }

  private static boolean safe(String part) {
    return SAFE.matcher(part).matches();
  }
}
