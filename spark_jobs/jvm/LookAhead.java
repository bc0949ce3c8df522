package headgate;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.AttributeReference;
import org.apache.spark.sql.catalyst.expressions.AttributeSet;
import org.apache.spark.sql.catalyst.expressions.CreateNamedStruct;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.GetStructField;
import org.apache.spark.sql.catalyst.expressions.Literal;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.execution.FilterExec;
import org.apache.spark.sql.execution.MapPartitionsExec;
import org.apache.spark.sql.execution.ProjectExec;
import org.apache.spark.sql.execution.SparkPlan;
import org.apache.spark.sql.execution.SparkStrategy;
import org.apache.spark.sql.types.DataTypes;
import org.apache.spark.sql.types.Metadata;
import org.apache.spark.sql.types.StructType;
import scala.Option;
import scala.collection.immutable.Seq;

/**
 * Plans SELECT lists and WHERE conditions with calls in them, so that a task asks for many rows at once.
 *
 * <p>The columns go through {@link Window} as one struct: the columns still needed, then each call's arguments. It comes
 * back with the answers at its end. All operators are Spark's own. Other places of a call become such a SELECT or WHERE by
 * {@link Apart}.
 */
final class LookAhead extends SparkStrategy {
  @Override
  public Seq<SparkPlan> apply(LogicalPlan plan) {
    SparkPlan planned = null;
    if (plan instanceof Project project) {
      planned = project(project);
    } else if (plan instanceof Filter filter && Calls.in(filter.condition())) {
      planned = filter(filter);
    } else if (plan instanceof Aggregate aggregate
        && Calls.in(Calls.list(plan.expressions()))) {
      Project apart = Apart.above(aggregate);
      planned = apart == null ? null : project(apart);
    }
    return planned == null ? Calls.nil() : Calls.seq(List.of(planned));
  }

  private SparkPlan project(Project project) {
    List<NamedExpression> columns = Calls.list(project.projectList());
    if (!Calls.in(Calls.list(project.expressions()))) {
      // Else a scan would take the child's calls over and make them one by one.
      return asks(project.child()) ? new ProjectExec(project.projectList(), planLater(project.child())) : null;
    }
    Calls calls = new Calls();
    List<NamedExpression> answered = new ArrayList<>();
    for (NamedExpression column : columns) {
      answered.add((NamedExpression) calls.take((Expression) column));
    }
    AttributeSet kept = project.references();
    return new ProjectExec(Calls.seq(answered), asked(calls, kept, project.child()));
  }

  private SparkPlan filter(Filter filter) {
    Calls calls = new Calls();
    Expression condition = calls.take(filter.condition());
    AttributeSet kept = filter.references().$plus$plus(filter.outputSet());
    return new ProjectExec(named(filter.output()), new FilterExec(condition, asked(calls, kept, filter.child())));
  }

  /** {@code kept} columns of {@code child} and the answers of all rounds. */
  private SparkPlan asked(Calls calls, AttributeSet kept, LogicalPlan child) {
    List<Attribute> passed = new ArrayList<>(Calls.list(child.output()));
    boolean narrower = passed.removeIf(column -> !kept.contains(column));
    SparkPlan plan = planLater(narrower ? new Project(named(Calls.seq(passed)), child) : child); // scans read what it names
    for (List<Calls.Taken> round : calls.rounds()) {
      plan = asked(round, passed, plan);
      round.forEach(taken -> passed.add(taken.answer()));
    }
    return plan;
  }

  private static SparkPlan asked(List<Calls.Taken> round, List<Attribute> passed, SparkPlan child) {
    Map<String, Expression> sent = new LinkedHashMap<>();
    passed.forEach(column -> sent.put("c" + sent.size(), column));
    for (Calls.Taken taken : round) {
      taken.arguments().forEach(argument -> sent.put("c" + sent.size(), argument));
    }
    List<Expression> fields = new ArrayList<>();
    sent.forEach((name, value) -> fields.addAll(List.of(Literal.create(name, DataTypes.StringType), value)));
    CreateNamedStruct struct = new CreateNamedStruct(Calls.seq(fields));
    NamedExpression question = alias(struct, "question", NamedExpression.newExprId());

    StructType type = (StructType) struct.dataType();
    for (Calls.Taken taken : round) {
      type = type.add("a" + type.length(), taken.answer().dataType());
    }
    Attribute answered =
        new AttributeReference("answered", type, false, Metadata.empty(), NamedExpression.newExprId(), Calls.nil());
    List<Window.Question> questions =
        round.stream().map(taken -> new Window.Question(taken.call(), taken.each())).toList();
    Window.Opening window = new Window.Opening(questions, passed.size());
    SparkPlan asking = new ProjectExec(Calls.seq(List.of(question)), child);
    return new ProjectExec(unpacked(answered, round, passed), new MapPartitionsExec(window, answered, asking));
  }

  /** The columns under the names they had. */
  private static Seq<NamedExpression> unpacked(Attribute answered, List<Calls.Taken> round, List<Attribute> passed) {
    List<NamedExpression> columns = new ArrayList<>();
    for (Attribute column : passed) {
      columns.add(field(answered, columns.size(), column));
    }
    int first = passed.size() + Window.ARGUMENTS * round.size();
    for (int i = 0; i < round.size(); i++) {
      columns.add(field(answered, first + i, round.get(i).answer()));
    }
    return Calls.seq(columns);
  }

  private static NamedExpression field(Attribute struct, int index, Attribute column) {
    return alias(new GetStructField((Expression) struct, index, Option.empty()), column.name(), column.exprId());
  }

  private static NamedExpression alias(Expression value, String name, ExprId id) {
    return new Alias(value, name, id, Calls.nil(), Option.empty(), Calls.nil());
  }

  private static boolean asks(LogicalPlan plan) {
    return (plan instanceof Project || plan instanceof Filter)
        && Calls.in(Calls.list(plan.expressions()));
  }

  @SuppressWarnings("unchecked")
  private static Seq<NamedExpression> named(Seq<Attribute> columns) {
    return (Seq<NamedExpression>) (Seq<?>) columns;
  }
}
