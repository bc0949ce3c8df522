package headgate;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.apache.spark.sql.catalyst.expressions.Alias;
import org.apache.spark.sql.catalyst.expressions.And;
import org.apache.spark.sql.catalyst.expressions.Attribute;
import org.apache.spark.sql.catalyst.expressions.ExprId;
import org.apache.spark.sql.catalyst.expressions.Expression;
import org.apache.spark.sql.catalyst.expressions.Generator;
import org.apache.spark.sql.catalyst.expressions.NamedExpression;
import org.apache.spark.sql.catalyst.expressions.SortOrder;
import org.apache.spark.sql.catalyst.expressions.aggregate.AggregateExpression;
import org.apache.spark.sql.catalyst.plans.Cross$;
import org.apache.spark.sql.catalyst.plans.Inner$;
import org.apache.spark.sql.catalyst.plans.logical.Aggregate;
import org.apache.spark.sql.catalyst.plans.logical.Filter;
import org.apache.spark.sql.catalyst.plans.logical.Generate;
import org.apache.spark.sql.catalyst.plans.logical.Join;
import org.apache.spark.sql.catalyst.plans.logical.LogicalPlan;
import org.apache.spark.sql.catalyst.plans.logical.Project;
import org.apache.spark.sql.catalyst.plans.logical.Sort;
import org.apache.spark.sql.catalyst.rules.Rule;
import scala.Option;
import scala.collection.immutable.Seq;
import scala.runtime.AbstractPartialFunction;

/**
 * Moves calls out of joins, orders and generators into a SELECT list or a WHERE beside them, where {@link LookAhead} sees
 * them. Spark would make those of a generator one by one, and refuses the others.
 */
final class Apart extends Rule<LogicalPlan> {
  @Override
  public LogicalPlan apply(LogicalPlan plan) {
    return plan.resolveOperatorsUp(new Moved());
  }

  private static final class Moved extends AbstractPartialFunction<LogicalPlan, LogicalPlan> {
    @Override
    public boolean isDefinedAt(LogicalPlan plan) {
      boolean place = plan instanceof Join || plan instanceof Sort || plan instanceof Generate;
      return place && plan.resolved() && Calls.in(Calls.list(plan.expressions()));
    }

    @Override
    public LogicalPlan apply(LogicalPlan plan) {
      if (plan instanceof Sort sort) {
        return below(sort);
      }
      return plan instanceof Generate generate ? below(generate) : above((Join) plan);
    }
  }

  /** An inner join's condition with calls chooses among its rows as well afterwards; an outer one's does not. */
  private static LogicalPlan above(Join join) {
    if (join.joinType() != Inner$.MODULE$ && join.joinType() != Cross$.MODULE$) {
      return join;
    }
    List<Expression> asking = new ArrayList<>();
    List<Expression> plain = new ArrayList<>();
    for (Expression part : parts(join.condition().get())) {
      (Calls.in(part) ? asking : plain).add(part);
    }
    Option<Expression> condition = Option.apply(plain.stream().reduce(And::new).orElse(null));
    LogicalPlan joined = new Join(join.left(), join.right(), join.joinType(), condition, join.hint());
    return new Filter(asking.stream().reduce(And::new).orElseThrow(), joined);
  }

  private static List<Expression> parts(Expression condition) {
    if (!(condition instanceof And both)) {
      return List.of(condition);
    }
    List<Expression> parts = new ArrayList<>(parts(both.left()));
    parts.addAll(parts(both.right()));
    return parts;
  }

  private static LogicalPlan below(Sort sort) {
    List<NamedExpression> columns = columns(sort.child().output());
    List<SortOrder> order = new ArrayList<>();
    for (SortOrder one : Calls.list(sort.order())) {
      order.add((SortOrder) one.withNewChildren(Calls.seq(named(Calls.list(one.children()), columns))));
    }
    LogicalPlan child = new Project(Calls.seq(columns), sort.child());
    LogicalPlan sorted = new Sort(Calls.seq(order), sort.global(), child, sort.hint());
    return new Project(Calls.seq(columns(sort.output())), sorted);
  }

  private static LogicalPlan below(Generate generate) {
    List<NamedExpression> columns = columns(generate.child().output());
    Expression generator = (Expression) generate.generator();
    Generator named = (Generator) generator.withNewChildren(Calls.seq(named(Calls.list(generator.children()), columns)));
    LogicalPlan child = new Project(Calls.seq(columns), generate.child());
    LogicalPlan generated =
        new Generate(
            named,
            generate.unrequiredChildIndex(),
            generate.outer(),
            generate.qualifier(),
            generate.generatorOutput(),
            child);
    return new Project(Calls.seq(columns(generate.output())), generated);
  }

  /** {@code values}, those with calls as further ones of {@code columns}. */
  private static List<Expression> named(List<Expression> values, List<NamedExpression> columns) {
    List<Expression> named = new ArrayList<>();
    for (Expression value : values) {
      if (Calls.in(value)) {
        Alias column = alias(value);
        columns.add(column);
        named.add((Expression) column.toAttribute());
      } else {
        named.add(value);
      }
    }
    return named;
  }

  /**
   * The same rows by a list with the calls over an aggregation without any; null when it is not of groups alone.
   *
   * <p>For the planner only: in a logical plan Spark would put the two together again.
   */
  static Project above(Aggregate aggregate) {
    Set<ExprId> groups = new HashSet<>();
    for (Expression group : Calls.list(aggregate.groupingExpressions())) {
      if (group instanceof Attribute column) {
        groups.add(column.exprId());
      }
    }
    Map<ExprId, NamedExpression> aggregated = new LinkedHashMap<>();
    List<NamedExpression> columns = new ArrayList<>();
    for (NamedExpression column : Calls.list(aggregate.aggregateExpressions())) {
      if (!Calls.in((Expression) column)) {
        aggregated.put(column.exprId(), column);
        columns.add(column.toAttribute());
        continue;
      }
      Expression over = ((Expression) column).transformDown(new Named(aggregated));
      for (Attribute used : Calls.list(over.references().toSeq())) {
        if (aggregated.putIfAbsent(used.exprId(), used) == null && !groups.contains(used.exprId())) {
          return null;
        }
      }
      columns.add((NamedExpression) over);
    }
    Seq<NamedExpression> plain = Calls.seq(List.copyOf(aggregated.values()));
    LogicalPlan child =
        new Aggregate(aggregate.groupingExpressions(), plain, aggregate.child(), aggregate.hint());
    return new Project(Calls.seq(columns), child);
  }

  /** Aggregates become columns of {@code aggregated}. */
  private static final class Named extends AbstractPartialFunction<Expression, Expression> {
    private final Map<ExprId, NamedExpression> aggregated;

    Named(Map<ExprId, NamedExpression> aggregated) {
      this.aggregated = aggregated;
    }

    @Override
    public boolean isDefinedAt(Expression expression) {
      return expression instanceof AggregateExpression;
    }

    @Override
    public Expression apply(Expression expression) {
      Alias column = alias(expression);
      aggregated.put(column.exprId(), column);
      return (Expression) column.toAttribute();
    }
  }

  private static Alias alias(Expression value) {
    return new Alias(value, "value", NamedExpression.newExprId(), Calls.nil(), Option.empty(), Calls.nil());
  }

  private static List<NamedExpression> columns(Seq<Attribute> columns) {
    return new ArrayList<>(Calls.list(columns));
  }
}
